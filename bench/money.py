"""Compare budget rules: how much of a cost cap is lost in iterations that their budget cuts off?

Samocode gives an iteration half of what is left, or 1.5 times the highest cost so far if that is
more, but never more than what is left.

    python bench/money.py
    python bench/money.py --endless 0.05      one iteration in twenty is endless

In this simulation an iteration needs a lognormal amount (median 1 USD, sigma 0.6). If its budget
is less, it is cut off and the budget is lost. A session ends at the loop's own caps.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from samocode.decide import money
from samocode.decide.policy import MAX_CUT_OFF
from samocode.record.state import SessionState

MEDIAN, SIGMA = 1.0, 0.6  # USD; sigma of the logarithm
Rule = Callable[[SessionState, float], float | None]
RULES: dict[str, Rule] = {
    "all that is left": lambda state, cap: cap - state.cost_usd,
    "half": lambda state, cap: (cap - state.cost_usd) / 2,
    "half, 1.5 times the highest": money.budget,
}


class Spent(NamedTuple):
    """How one session spent its money."""

    lost: float
    """USD of iterations that were cut off."""
    finished: int
    """Number of other iterations."""


def play(rule: Rule, seed: int, cap: float, endless: float) -> Spent:
    """Play one session until its money is used up or two iterations in a row are cut off."""
    dice, state, lost, finished = random.Random(seed), SessionState(), 0.0, 0  # noqa: S311
    while not money.used_up(state, cap) and state.cut_off < MAX_CUT_OFF:
        need = dice.lognormvariate(math.log(MEDIAN), SIGMA)
        need = math.inf if endless and dice.random() < endless else need
        cost = min(need, rule(state, cap) or 0.0)
        state.cost_usd += cost
        state.highest_usd = max(state.highest_usd, cost)
        cut_off = cost < need
        state.cut_off = state.cut_off + 1 if cut_off else 0
        lost, finished = lost + cost * cut_off, finished + (not cut_off)
    return Spent(lost, finished)


def main() -> None:
    """Print one line per rule."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=400, metavar="N", help="1 to N (400)")
    parser.add_argument("--cap", type=float, default=5.0, metavar="USD", help="(5)")
    parser.add_argument("--endless", type=float, default=0.0, metavar="SHARE", help="(0)")
    options = parser.parse_args()
    cap, tenth = options.cap, max(1, options.seeds // 10)
    print(f"{options.seeds} sessions with a cap of {cap:.2f} USD.")
    print("mean: the share of the cap that was lost in iterations that were cut off")
    print("worst: the same, the mean of the worst tenth; finished: iterations per session")
    print(f"{'rule':<30}{'mean':>8}{'worst':>8}{'finished':>10}")
    for name, rule in RULES.items():
        found = [play(rule, seed, cap, options.endless) for seed in range(1, options.seeds + 1)]
        shares = sorted(spent.lost / cap for spent in found)
        mean, worst = statistics.mean(shares), statistics.mean(shares[-tenth:])
        finished = statistics.mean(spent.finished for spent in found)
        print(f"{name:<30}{mean:>8.1%}{worst:>8.1%}{finished:>10.2f}")


if __name__ == "__main__":
    main()
