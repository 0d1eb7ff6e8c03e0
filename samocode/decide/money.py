"""What a child may spend, and what a run cost. All amounts are USD."""

from __future__ import annotations

from samocode.child.stream import RunResult
from samocode.record.state import SessionState

LEAST = 0.01  # of the cap: with less left, no child is started
SMALLEST = 0.0001  # the CLI gets four digits, and none may be a budget of nothing


def budget(state: SessionState, cap: float | None) -> float | None:
    """What the next child may spend: half of what is left, at least 1.5 times the dearest run so
    far, never more than is left. None without a cap."""
    if cap is None:
        return None
    left = _left(state, cap)
    return max(SMALLEST, round(min(left, max(left / 2, 1.5 * state.dearest)), 4))


def used_up(state: SessionState, cap: float) -> bool:
    """Whether too little is left for another child."""
    return _left(state, cap) < LEAST * cap


def cost(run: RunResult) -> float | None:
    """What a run cost; None when it did not report that, so that its budget is held back."""
    refused = run.ended in ("auth", "payer", "mode") and not run.answered
    return 0.0 if run.cost_usd is None and (refused or not run.started) else run.cost_usd


def _left(state: SessionState, cap: float) -> float:
    return cap - state.cost_usd - state.held_usd
