"""`_iteration.json`: what the child of one iteration needs to know."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from samocode.pages.names import ITERATION
from samocode.record import files
from samocode.record.state import SessionState


def page(
    state: SessionState, now: datetime, timeout: float, budget: float | None, head: str | None
) -> str:
    """Return the page for the next iteration. `timeout` is in seconds, `budget` in USD (None: no
    cap), `head` the current commit (None without git)."""
    last = state.last
    previous = {"iteration": last.n, "outcome": last.outcome, "note": last.note} if last else None
    values = {
        "iteration": state.iteration + 1,
        "phase": state.phase,
        "stamp": f"{now:%m-%d-%H:%M}",
        "deadline": (now + timedelta(seconds=timeout)).isoformat(timespec="seconds"),
        "entered": dict(state.entered) or {state.phase: 1},
        "head": head,
        "git": state.worktree is not None,
        "approved_plan": state.approved.plan if state.approved else None,
        "previous": previous,
        "notes": state.notes,
        "budget_usd": budget,
    }
    return json.dumps(values, indent=1) + "\n"


def write(folder: Path, text: str) -> None:
    files.write(folder / ITERATION, text, durable=False)
