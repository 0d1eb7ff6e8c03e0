"""Forecast the cost of the rest of a session from its cost so far and the plan's open phases."""

from __future__ import annotations

import re
from typing import NamedTuple

from samocode.record.state import SessionState, Spent
from samocode.record.words import counted

SECTION = re.compile(r"^## Phase\b.*?(?=^## |\Z)", re.M | re.S)
OPEN = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+\[ \]", re.M)
AFTER = 3  # iterations after the last phase of the plan: testing, quality, done


class Forecast(NamedTuple):
    """What the rest will cost, at the average cost of an iteration so far."""

    phases: int
    """Open phases of the plan, each one iteration."""
    each_usd: float
    """Average cost of an iteration: of those in implementation, or of all before there are any."""
    usd: float
    seconds: float

    def __str__(self) -> str:
        left = f"{counted(self.phases, 'phase')} open, then {AFTER} more iterations"
        each = f"an iteration cost {self.each_usd:.2f} USD on average"
        return f"{left}; {each}: about {self.usd:.2f} USD to the end"


def forecast(state: SessionState, plan: str) -> Forecast | None:
    """Return the forecast. None if no iteration has reported a cost, or no phase is open."""
    phases = sum(bool(OPEN.search(section)) for section in SECTION.findall(plan))
    built, every = state.spent.get("implementation"), state.spent.values()
    if built is None or not built.usd:  # nothing was built yet: all iterations are the measure
        built = Spent(*(sum(amounts) for amounts in zip(*every, strict=True)))
    runs, usd, seconds = built
    if not phases or not runs or not usd:
        return None
    left = phases + AFTER
    return Forecast(phases, usd / runs, left * usd / runs, left * seconds / runs)
