"""Many sessions on one five-hour usage limit, with the policy of the loop and a simulated clock.

    python bench/fleet.py [--sessions 1000] [--seed 1] [--svg docs/fleet.svg]

All must finish; in no second after the first reset may more than 2 % of the sessions call; and the
sessions may idle at most 5 % longer than if all could call at the instant of the reset. The exit
code is 1 otherwise. The account: a window of five hours begins with the first call after the last
window ended. It pays for a fixed number of child hours. After that every running child is rejected
at its next request, and every new one at its first.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from samocode.child.stream import Init, RunResult
from samocode.decide import policy
from samocode.decide.facts import IterationFacts, Limits, Pause
from samocode.decide.signal import Signal, SignalCheck
from samocode.record.state import SessionState
from samocode.settings.timeouts import Timeouts

WINDOW = 5 * 3600.0
SHARE, IDLE = 0.02, 1.05  # at most
LIMITS = Limits(max_iterations=10_000, max_cost=None, max_wait=21600)
STATE = SessionState(phase="testing", spawned=1)
RAN = RunResult(init=Init(), answered=True, finished=True, subtype="success")
REJECTED = RAN._replace(is_error=True, error="rate_limit", status=429, limit_rejected=True)
CONTINUE = SignalCheck(Signal("continue"))
SILENT = SignalCheck(problems=("No _signal.json: write it.",), missing=True)


class Figures(NamedTuple):
    """What a simulated fleet did."""

    finished: int
    resets: int
    hours: float
    """Until the last session finished."""
    busiest: int
    """Calls in the busiest second after the first reset."""
    idle: float
    """Seconds that the sessions waited, as a multiple of the best possible."""
    first: tuple[int, ...]
    """Calls in each second after the first reset."""


@final
class Fleet:
    """An account and its sessions. Events are (time, session, what, number of the run)."""

    def __init__(self, count: int, slack: float, seed: int) -> None:
        self.dice, self.times = random.Random(seed), Timeouts(limit_slack=slack)  # noqa: S311
        # Children of some five minutes; each session needs some four hours of them.
        self.left = [self.dice.uniform(2, 6) * 3600 for _ in range(count)]
        self.pays = sum(self.left) / 3.5
        self.began = [0.0] * count
        self.run = [0] * count
        self.running = dict[int, None]()
        self.events = [(self.dice.uniform(0, 600), n, "call", 0) for n in range(count)]
        heapq.heapify(self.events)
        self.now, self.used, self.ends = 0.0, 0.0, 0.0
        self.resets, self.calls = list[float](), list[float]()
        self.idle, self.best = 0.0, 0.0

    def play(self) -> Figures:
        """Play until nothing happens any more."""
        acts = {"call": self.call, "end": self.end, "reject": self.reject}
        while self.events:
            self.pass_time(self.events[0][0])
            at, session, what, run = heapq.heappop(self.events)
            self.now = at
            if run == self.run[session]:
                acts[what](session)
        seconds = Counter(int(at) for at in self.calls if at >= self.resets[0])
        first = Counter(int(at - self.resets[0]) for at in self.calls if at >= self.resets[0])
        return Figures(
            sum(left <= 0 for left in self.left), len(self.resets), self.now / 3600,
            max(seconds.values()), self.idle / self.best, tuple(first[n] for n in range(600)),
        )  # fmt: skip

    def pass_time(self, to: float) -> None:
        """Advance the clock to the next event. If that uses up the limit, all running children are
        rejected."""
        before, self.used = self.used, self.used + len(self.running) * (to - self.now)
        if before < self.pays <= self.used:
            spent = self.now + (self.pays - before) / len(self.running)
            for session in self.running:  # a child makes a request every few seconds
                self.later(session, "reject", spent - self.now + self.dice.expovariate(1 / 10))
        self.now = to

    def later(self, session: int, what: str, seconds: float) -> None:
        """Add the next event of a session; it replaces what was to come."""
        self.run[session] += 1
        heapq.heappush(self.events, (self.now + seconds, session, what, self.run[session]))

    def call(self, session: int) -> None:
        """Start a child."""
        if self.now >= self.ends:
            if self.ends:
                self.resets.append(self.ends)
            self.used, self.ends = 0.0, self.now // 1 + WINDOW  # the API names whole seconds
        self.calls.append(self.now)
        self.began[session] = self.now
        if self.used >= self.pays:
            self.later(session, "reject", self.dice.uniform(1, 4))
            return
        self.running[session] = None
        length = self.dice.lognormvariate(5.5, 0.6)
        self.later(session, "end", min(length, self.left[session]))

    def stop(self, session: int) -> None:
        """End the child. What it did counts."""
        if session in self.running:
            del self.running[session]
            self.left[session] -= self.now - self.began[session]
            if self.left[session] < 1:  # rounding may leave a rest that never ends
                self.left[session] = 0.0

    def end(self, session: int) -> None:
        """A child signals. The session goes on at once, or is done."""
        self.stop(session)
        if self.left[session] > 0:
            self.follow(session, RAN, CONTINUE)

    def reject(self, session: int) -> None:
        """A child meets the limit."""
        self.stop(session)
        self.follow(session, REJECTED._replace(limit_resets_at=self.ends), SILENT)

    def follow(self, session: int, run: RunResult, check: SignalCheck) -> None:
        """Do what the policy decides."""
        facts = IterationFacts(run, check, "testing", now=self.now)
        decision = policy.decide(facts, STATE, LIMITS, self.times)
        assert decision.stop is None, decision.why
        pause = decision.pause or Pause("")
        seconds = max(0.0, pause.length(LIMITS.max_wait, self.now))
        self.idle += seconds
        if run.limit_rejected:
            self.best += max(0.0, self.ends - self.now)
        self.later(session, "call", seconds + 0.05)


def draw(path: Path, drawn: dict[str, Figures], sessions: int) -> None:
    """Write the calls in each second after the first reset as an SVG."""
    high, wide, most = 120, 600, max(max(f.first) for f in drawn.values())
    parts = list[str]()
    for row, (name, found) in enumerate(drawn.items()):
        base = (row + 1) * (high + 40)
        bars = "".join(
            f"M{20 + n} {base}v-{calls * high / most:.0f}"
            for n, calls in enumerate(found.first)
            if calls
        )
        cap = base - sessions * SHARE * high / most
        parts.append(
            f'<path d="{bars}" stroke="#0969da"/><path d="M20 {cap:.0f}h{wide}" stroke="#cf222e"/>'
            f'<text x="20" y="{base - high - 8}">{name}: at most {max(found.first)} of {sessions} '
            f"in a second; idle {100 * (found.idle - 1):.2f} % over the best</text>"
            f'<text x="20" y="{base + 14}">the reset</text>'
            f'<text x="{20 + wide}" y="{base + 14}" text-anchor="end">10 minutes later</text>'
        )
    tall = len(drawn) * (high + 40) + 30
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + 40} {tall}" '
        'font-family="sans-serif" font-size="12"><title>Calls after a reset</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def main() -> int:
    """Compare the present slack with others; the present one must hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--svg", type=Path)
    given = parser.parse_args()
    now = Timeouts().limit_slack
    drawn = dict[str, Figures]()
    print("slack  finished  resets  hours  busiest second  idle over the best")
    for slack in sorted({0.0, 60.0, 120.0, now, 300.0}):
        found = Fleet(given.sessions, slack, given.seed).play()
        if slack in (60.0, now):
            drawn[f"{slack:.0f} s of slack"] = found
        mark = " <- now" if slack == now else ""
        print(
            f"{slack:4.0f} s  {found.finished:8}  {found.resets:6}  {found.hours:5.1f}  "
            f"{100 * found.busiest / given.sessions:12.1f} %  "
            f"{100 * (found.idle - 1):16.2f} %{mark}"
        )
    found = drawn[f"{now:.0f} s of slack"]
    if given.svg:
        draw(given.svg, drawn, given.sessions)
    kept = found.finished == given.sessions and found.busiest <= SHARE * given.sessions
    return 0 if kept and found.idle <= IDLE else 1


if __name__ == "__main__":
    sys.exit(main())
