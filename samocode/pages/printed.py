"""The pages that the loop prints for a child: `_task.md`, `_iteration.json`, and the skeleton of
its notebook, `_overview.md`."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from samocode.pages.names import OVERVIEW
from samocode.record import files
from samocode.record.state import SessionState
from samocode.record.words import clean

SKELETON = """# {name}

## Status
Phase: investigation
Last action: none yet
Next: read _task.md and begin

## Decisions

## Flow log

## Files
"""


def task(name: str, state: SessionState) -> str:
    """Return what the user wrote, as `_task.md`."""
    entries = (
        f"\n## {when[:16].replace('T', ' ')} {kind}\n\n{words.strip()}\n"
        for when, kind, words in state.texts
    )
    return clean(f"# {name}: the human's words, printed by the loop\n" + "".join(entries))


def iteration(
    state: SessionState, now: datetime, timeout: float, budget: float | None, head: str | None
) -> str:
    """Return `_iteration.json` of the next iteration. `timeout` is in seconds, `budget` in USD
    (None: no cap), `head` the current commit (None without git)."""
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


def create_overview(folder: Path, name: str) -> None:
    files.write(folder / OVERVIEW, SKELETON.format(name=name))


def restore_overview(folder: Path) -> str | None:
    """Write an empty notebook if there is no readable one. Return why, or None. An unreadable
    notebook is renamed, and the new one lists its name for the next child."""
    path, why, listed = folder / OVERVIEW, f"{OVERVIEW} was missing or empty", ""
    try:
        if (files.read(path) or b"").strip():
            return None
    except files.Unreadable as error:
        kept = files.set_aside(path).name
        why = f"{error}, and was renamed to {kept}"
        listed = f"- {kept}: the notebook until now; copy what matters from it, briefly\n"
    files.write(path, SKELETON.format(name=folder.name) + listed)
    return f"{why}. An empty notebook was created."
