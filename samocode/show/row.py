"""A session in one row: what --status shows of each, and what programs read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from samocode.lock import is_running
from samocode.pages.names import HISTORY
from samocode.record.exits import ExitCode, UserError
from samocode.record.history import History
from samocode.record.state import SessionState
from samocode.show.text import TITLES

STOPPED = {**TITLES, ExitCode.WAITING: "stopped, waiting"}
"""The state of a session that no loop runs, by the exit code of its last run."""
NOT_STARTED = "not started"
ASKED = (ExitCode.WAITING, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
"""After these an open question says more than the reason of the stop."""


class Row(NamedTuple):
    """The facts of a row; the keys of --json."""

    name: str
    folder: str
    running: bool
    """A loop holds it."""
    state: str
    """In words: see README, Looking at sessions."""
    waits_for: str = ""
    """What it needs, or why it stopped; empty where nothing is needed."""
    phase: str = ""
    round: int = 1
    iterations: int = 0
    cost_usd: float = 0.0
    held_usd: float = 0.0
    unpriced: int = 0
    made: str = ""
    """When, as ISO 8601."""

    @classmethod
    def of(cls, folder: Path, state: SessionState, running: bool) -> Row:
        """The row of a session."""
        word, waits_for = standing(state, running)
        phase = "done" if state.done is not None else state.phase
        return cls(
            folder.name, str(folder), running, word, waits_for, phase, state.round,
            state.iteration, round(state.cost_usd, 6), round(state.held_usd, 6), state.unpriced,
            state.started or "",
        )  # fmt: skip


def standing(state: SessionState, running: bool) -> tuple[str, str]:
    """(the state of a session in words, what it waits for or why it stopped)."""
    question = _open(state)
    if running:
        return _at_work(state, question)
    if state.stopped:
        code, why = state.stopped
        word, plain = STOPPED.get(code, "stopped"), (ExitCode.DONE, *ASKED)
        return word, question if code in ASKED else "" if code in plain else " ".join(why.split())
    if not state.program and not state.setting_up:
        return NOT_STARTED, ""
    return "killed", question  # its last run began and has no end on record


def _at_work(state: SessionState, question: str) -> tuple[str, str]:
    if state.pending is None and question:
        return "waiting for you", question
    if state.paused:
        why, until = state.paused
        return "paused", f"{why}, until {until}"
    return ("setting up" if state.setting_up else "running"), ""


def _open(state: SessionState) -> str:
    """The first open question, and how many more there are."""
    if not state.open:
        return ""
    first, *more = state.open
    return f"Q{first.id}: {first.title}" + (f" (and {len(more)} more)" if more else "")


def rows(sessions: Path) -> list[Row]:
    """Every session of a SESSIONS folder, the newest first."""
    found = [_row(path) for path in sessions.glob("[!._]*/" + HISTORY)]
    return sorted(found, key=lambda row: (row.made or f"20{row.name}", row.name), reverse=True)


def _row(history: Path) -> Row:
    folder = history.parent
    try:
        state = History(history).load(repair=False).state
        return Row.of(folder, state, is_running(folder))
    except (UserError, OSError) as error:
        why = " ".join(str(error).split())
        return Row(folder.name, str(folder), running=False, state="damaged", waits_for=why)
