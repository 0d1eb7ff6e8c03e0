"""What changed in the worktree, for the loop and for the Stop hook."""

from __future__ import annotations

from collections.abc import Mapping

from samocode.git import status as worktree
from samocode.record.state import SessionState, WorktreeStatus


def uncommitted(state: SessionState, status: WorktreeStatus | None) -> tuple[str, ...]:
    """Return the changed tracked files, except those that are as they were after SETUP."""
    if status is None:
        return ()
    as_made = state.as_made or WorktreeStatus("")
    return tuple(n for n in status.dirty if as_made.dirty.get(n) != status.dirty[n])


def built(state: SessionState, status: WorktreeStatus | None) -> bool:
    """Whether the session may have code to verify: a plan is approved, or there are commits."""
    tree = state.worktree
    return state.approved is not None or bool(status and tree and status.head != tree.commit)


def changed_code(
    state: SessionState, status: WorktreeStatus | None, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what the running child changed before any plan was approved: tracked files, HEAD, or
    a merge in progress."""
    before = state.pending.code if state.pending else None
    if status is None or before is None or state.approved or state.worktree is None:
        return ()
    return worktree.changes(state.worktree.path, environ, before, status)
