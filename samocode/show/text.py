"""Format text, costs and times for display."""

from __future__ import annotations

from collections.abc import Mapping

from samocode.record.exits import ExitCode
from samocode.record.state import SessionState

WIDTH = 110  # columns
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


def clip(text: str) -> str:
    """Shorten text to one line of at most WIDTH columns."""
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def money(state: SessionState) -> str:
    """Describe the cost of a session: spent, held back, unknown."""
    spent, held, unknown = state.cost_usd, state.held_usd, state.unpriced
    parts = [f"{spent:.2f} USD spent"] if spent else []
    parts += [f"{held:.2f} USD held back for runs without a reported cost"] if held else []
    runs = f"{unknown} run{'s' * (unknown != 1)}"
    parts += [f"cost of {runs} unknown"] if unknown else []
    return ", ".join(parts) or "nothing spent"


def printable(text: str) -> str:
    """Replace control characters, which could control the terminal."""
    clean = "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)
    return clean.encode("utf-8", "replace").decode("utf-8")


def span(seconds: float) -> str:
    """Format a duration: 40s, 12m, 3h05m. If the clock was set back it is 0s."""
    seconds = max(seconds, 0)
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes = int(seconds // 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"
