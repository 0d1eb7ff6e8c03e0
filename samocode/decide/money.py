"""What a child may spend, and what a run is booked at. All amounts are USD."""

from __future__ import annotations

from samocode.child.stream import RunResult
from samocode.decide.facts import Limits
from samocode.record.state import SessionState


def left_to_spend(state: SessionState, limits: Limits) -> float | None:
    """What the next child may cost; None without a cap."""
    return None if limits.max_cost is None else max(limits.max_cost - state.cost_usd, 0.0001)


def booked(
    run: RunResult, state: SessionState, limits: Limits, timeout: float
) -> tuple[float, bool]:
    """(what a run that may take `timeout` seconds cost, whether that is an estimate).

    Without a result: as much as the most expensive run so far, or half of what it might spend when
    it took all its time, less for less. Booked as nothing, such runs would never reach the cap;
    this way three time-outs cost at most 1.75 times the cap.
    """
    if run.cost_usd is not None:
        return run.cost_usd, False
    if not run.started or (run.ended in ("auth", "payer", "mode") and not run.answered):
        return 0.0, False
    likely = (left_to_spend(state, limits) or 0.0) / 2 * min(1.0, run.seconds / timeout)
    if state.rate:  # it spends no faster than twice what the fastest did
        likely = min(likely, 2 * state.rate * run.seconds)
    return max(state.dearest, likely), True
