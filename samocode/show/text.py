"""How outcomes, phases, times and sums are written for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from samocode.record.exits import ExitCode
from samocode.record.history import local_now
from samocode.record.state import PHASES, SessionState
from samocode.record.words import counted

TITLES: Mapping[int, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.BLOCKED: "blocked",
    ExitCode.WAITING: "waiting for you",
    ExitCode.LIMIT: "limit reached",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "terminated",
}
"""How a run ended, by its exit code."""

OUTCOMES = {
    "continue": "goes on",
    "waiting": "asks you",
    "verify_failed": "VERIFY failed",
    "stalled": "nothing changed three times in a row",
    "looping": "work goes in circles",
    "tampered": "changed the history",
    "changed_code": "changed code before approval",
    "budget": "budget used up",
    "limited": "usage limit reached",
    "transient": "the API failed",
    "timeout": "time limit reached",
    "crash": "claude crashed",
    "no_signal": "no signal",
    "bad_signal": "invalid signal",
    "stopped": "stopped by a person",
    "interrupted": "the loop was killed",
}
"""Outcomes that are not shown by their names."""


ASKED = frozenset({"waiting", "stopped"})
"""Outcomes after which a person comes next, with nothing wrong."""
LAST = ASKED | {"done", "blocked", "stalled", "looping", "tampered", "changed_code"}
"""Outcomes after which no iteration follows by itself."""


def ended(code: int) -> str:
    """How a run ended, also with a code that only a damaged history has."""
    return TITLES.get(code, f"exit code {code}")


def in_words(outcome: str) -> str:
    """An outcome in words."""
    return OUTCOMES.get(outcome, outcome.replace("_", " "))


def step(phase: str) -> str:
    """A phase with its number, such as "planning (3 of 7)"."""
    return f"{phase} ({PHASES.index(phase) + 1} of {len(PHASES)})" if phase in PHASES else phase


def money(state: SessionState) -> str:
    """What a session cost: USD spent, USD held back, runs of unknown cost (never shown as 0)."""
    spent, held, unknown = state.cost_usd, state.held_usd, state.unpriced
    parts = [f"{spent:.2f} USD spent"] if spent else []
    parts += [f"{held:.2f} USD held back for runs without a reported cost"] if held else []
    parts += [f"cost of {counted(unknown, 'run')} unknown"] if unknown else []
    return ", ".join(parts) or "nothing spent"


def span(seconds: float) -> str:
    """A duration, such as 40s, 12m, 3h05m. It is 0s if the clock was set back."""
    seconds = max(seconds, 0)
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes = int(seconds // 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def watch(seconds: float) -> str:
    """A duration to the second, such as 0:40, 12:05, 3:05:00."""
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def since(recorded: str, now: datetime | None = None) -> float:
    """Seconds since a moment of the history."""
    return ((now or local_now()) - datetime.fromisoformat(recorded)).total_seconds()


def moment(recorded: str | None) -> str:
    """A moment of the history as date and time, in the zone where it was recorded."""
    try:
        return f"{datetime.fromisoformat(recorded or ''):%Y-%m-%d %H:%M}"
    except ValueError:
        return "at an unknown time"
