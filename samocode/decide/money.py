"""Budgets and costs. All amounts are in USD."""

from __future__ import annotations

from samocode.child.stream import RunResult
from samocode.record.state import SessionState

LEAST = 0.01  # share of the cap; if less is left, no child is started
SMALLEST = 0.0001  # the CLI gets the budget with four decimals


def budget(state: SessionState, cap: float | None) -> float | None:
    """Return the budget of the next child: half of what is left, or 1.5 times the highest
    cost of a run if that is more, but at most what is left. None without a cap."""
    if cap is None:
        return None
    left = _left(state, cap)
    return max(SMALLEST, round(min(left, max(left / 2, 1.5 * state.highest_usd)), 4))


def used_up(state: SessionState, cap: float) -> bool:
    """Whether too little is left for another child."""
    return _left(state, cap) < LEAST * cap


def cost(run: RunResult) -> float | None:
    """Return the cost of a run: 0 if it sent no request, None if it is unknown. The budget is then
    held back."""
    refused = run.ended in ("auth", "payer", "mode") or not run.started
    free = refused and not run.answered and run.ended != "killed_loop"  # its log may be lost
    return 0.0 if run.cost_usd is None and free else run.cost_usd


def _left(state: SessionState, cap: float) -> float:
    return cap - state.cost_usd - state.held_usd
