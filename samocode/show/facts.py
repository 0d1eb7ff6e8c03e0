"""A session in detail, for programs: --session NAME --status --json (shape: docs/scripts.md)."""

from __future__ import annotations

from samocode.pages.names import LOGS
from samocode.session import Session
from samocode.show import status
from samocode.show.doing import doing
from samocode.show.row import Row
from samocode.show.sizes import size


def facts(session: Session, running: bool, command: str) -> dict[str, object]:
    """The row of a session and more. Absent values are null. `command` resumes the session."""
    state, tree = session.state, session.state.worktree
    child = doing(session) if running else None
    stop, costs = state.stopped, status.expected(session)
    return {
        **Row.of(session.folder, state, running)._asdict(),
        "task": state.task,
        "worktree": str(tree.path) if tree else None,
        "branch": tree.branch if tree else None,
        "base": tree.base if tree else None,
        "plan": state.approved.plan if state.approved else None,
        "spent": {phase: spent._asdict() for phase, spent in state.spent.items()},
        "forecast": costs._asdict() if costs else None,
        "last": state.last._asdict() if state.last else None,
        "stopped": {"exit": stop[0], "why": stop[1]} if stop else None,
        "questions": [question._asdict() for question in state.open],
        "child": child._asdict() if child else None,
        "logs_bytes": size(session.folder / LOGS).bytes,
        "worktree_bytes": size(tree.path).bytes if tree else None,
        "command": None if running or state.done is not None else command,
    }
