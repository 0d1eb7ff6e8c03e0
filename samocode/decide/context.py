"""What a signal is judged by: the same for the loop and for the Stop hook."""

from __future__ import annotations

from pathlib import Path

from samocode.decide.signal import SignalContext
from samocode.record.state import SessionState, WorktreeStatus


def signal_context(
    folder: Path,
    state: SessionState,
    status: WorktreeStatus | None,
    other_branch: str,
) -> SignalContext:
    """The context of a signal in a session: `status` is the worktree's (None without git),
    `other_branch` what is checked out in place of the session's branch."""
    return SignalContext(
        folder=folder,
        phase=state.phase,
        approved=state.approved is not None,
        git=state.worktree is not None,
        uncommitted=uncommitted(state, status),
        strayed=other_branch,
    )


def uncommitted(state: SessionState, status: WorktreeStatus | None) -> tuple[str, ...]:
    """Tracked changes that are the session's: before approval, less what was there at the start."""
    if status is None or state.approved:
        return tuple(status.dirty) if status else ()
    known = state.baseline or WorktreeStatus("")
    return tuple(name for name in status.dirty if known.dirty.get(name) != status.dirty[name])


def changed_code(state: SessionState, status: WorktreeStatus | None) -> tuple[str, ...]:
    """Tracked files that changed though no approved plan allows it."""
    if status is None or state.approved or state.baseline is None:
        return ()
    return status.changes_since(state.baseline)
