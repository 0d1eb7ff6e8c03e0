"""A session's iterations, read from its history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, final

from samocode.record.fold import Line
from samocode.record.untrusted import items, number

BARS = 200  # of a picture; more iterations share bars
ON, YOU, BAD = "on", "you", "bad"
"""Kinds of ends: it went on, a person comes next, it failed."""
KINDS = {"continue": ON, "done": ON, "waiting": YOU, "blocked": YOU, "stopped": YOU}


class Run(NamedTuple):
    """One iteration."""

    n: int
    phase: str
    outcome: str
    why: str
    seconds: float
    usd: float | None
    """None if it is unknown."""
    held: bool
    """`usd` is its budget: it did not report its cost."""
    log: str
    at: str
    denied: tuple[str, ...]
    left_over: tuple[str, ...]

    @property
    def kind(self) -> str:
        return KINDS.get(self.outcome, BAD)


class Bar(NamedTuple):
    """The iterations of one phase among some that follow each other, drawn as one bar."""

    first: int
    last: int
    phase: str
    kind: str
    """The kind of its worst iteration."""
    seconds: float
    usd: float

    def with_(self, run: Run) -> Bar:
        """The bar with one more iteration."""
        kind = max(self.kind, run.kind, key=(ON, YOU, BAD).index)
        seconds, usd = self.seconds + run.seconds, self.usd + (run.usd or 0.0)
        return Bar(self.first, run.n, self.phase, kind, seconds, usd)


@final
class Past:
    """The iterations of a session, and what happened between them."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.runs: list[Run] = []
        self.stops: list[tuple[str, int, str]] = []
        """When, exit code, why."""
        self.pauses: list[tuple[str, str, float]] = []
        """When, why, seconds."""
        self.answered: dict[int, str] = {}
        """When each question was answered, by its number."""
        self.approved_at = ""
        for line in lines:
            self._add(str(line.get("event")), line)

    def _add(self, event: str, line: Line) -> None:
        at, why = str(line.get("t", "")), str(line.get("why", ""))
        if event == "iteration":
            self.runs.append(_run(line, at))
        elif event == "answer":
            self.answered[whole(line.get("id"))] = at
        elif event == "approved":
            self.approved_at = at
        elif event == "limit":
            self.pauses.append((at, why, amount(line.get("seconds"))))
        elif event == "stop":
            self.stops.append((at, whole(line.get("exit")), why))

    @property
    def failed(self) -> list[Run]:
        return [run for run in self.runs if run.kind == BAD]

    @property
    def bars(self) -> list[Bar]:
        """The bars of the picture, in order. At most BARS for each phase."""
        group = max(1, -(-len(self.runs) // BARS))
        found: dict[tuple[int, str], Bar] = {}
        for at, run in enumerate(self.runs):
            key = at // group, run.phase
            bar = found.get(key) or Bar(run.n, run.n, run.phase, ON, 0.0, 0.0)
            found[key] = bar.with_(run)
        return list(found.values())


def _run(line: Line, at: str) -> Run:
    cost, held = line.get("cost_usd"), line.get("held_usd")
    usd = held if cost is None else cost
    why = line.get("why") or line.get("note") or ""
    return Run(
        whole(line.get("n")), str(line.get("phase", "")), str(line.get("outcome", "")), str(why),
        amount(line.get("seconds")), None if usd is None else amount(usd),
        cost is None and held is not None, str(line.get("log", "")), at,
        tuple(map(str, items(line.get("denied")))), tuple(map(str, items(line.get("left_over")))),
    )  # fmt: skip


def amount(value: object) -> float:
    """A number of the history that cannot be negative; 0 for anything else."""
    return max(number(value) or 0.0, 0.0)


def whole(value: object) -> int:
    return int(number(value) or 0)
