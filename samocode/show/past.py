"""What the history says of a session's iterations, in one pass and in bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar, final

from samocode.record.fold import Line
from samocode.record.untrusted import items, number

BARS = 200  # of a picture; more iterations share bars
RECENT, MOST = 200, 100  # rows of the table; entries of every other list
ON, YOU, BAD = "on", "you", "bad"
"""Kinds of ends: it went on, a person comes next, it failed."""
KINDS = {"continue": ON, "done": ON, "waiting": YOU, "blocked": YOU, "stopped": YOU}
T = TypeVar("T")


class Run(NamedTuple):
    """One iteration."""

    n: int
    phase: str
    outcome: str
    why: str
    seconds: float
    usd: float | None
    """None where nobody knows."""
    held: bool
    """`usd` is its budget: it did not report its cost."""
    log: str
    at: str

    @property
    def kind(self) -> str:
        return KINDS.get(self.outcome, BAD)


class Bar(NamedTuple):
    """Iterations of one phase that follow each other, drawn as one bar."""

    first: int
    last: int
    phase: str
    kind: str
    """That of the worst."""
    seconds: float
    usd: float

    def with_(self, run: Run) -> Bar:
        """The bar with one more iteration."""
        kind = max(self.kind, run.kind, key=(ON, YOU, BAD).index)
        seconds, usd = self.seconds + run.seconds, self.usd + (run.usd or 0.0)
        return Bar(self.first, run.n, self.phase, kind, seconds, usd)


@final
class Some(Generic[T]):
    """The first entries of a list, and how many there are in all."""

    def __init__(self) -> None:
        self.shown: list[T] = []
        self.count = 0

    def add(self, entry: T) -> None:
        self.count += 1
        if len(self.shown) < MOST:
            self.shown.append(entry)


@final
class Past:
    """The iterations of a session and what happened beside them."""

    def __init__(self, lines: Iterable[Line], iterations: int) -> None:
        """`iterations` is about how many there are: it decides how many share a bar."""
        self._group = max(1, -(-iterations // BARS))
        self._bars: dict[tuple[int, str], Bar] = {}
        self.by_phase, self.failed_by_phase = Counter[str](), Counter[str]()
        self.recent: deque[Run] = deque(maxlen=RECENT)
        self.failed, self.stops = Some[Run](), Some[tuple[str, int, str]]()
        self.denied, self.left_over = Some[tuple[int, str]](), Some[tuple[int, str]]()
        self.pauses = Some[tuple[str, str, float]]()
        self.answered: dict[int, str] = {}
        """When each question was answered, by its number."""
        self.approved_at = ""
        self.runs = 0
        for line in lines:
            self._add(str(line.get("event")), line)

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The bars of the picture, in order. At most BARS for each phase."""
        return tuple(self._bars.values())

    def _add(self, event: str, line: Line) -> None:
        at = str(line.get("t", ""))
        if event == "iteration":
            self._iteration(_run(line, at), line)
        elif event == "answer":
            self.answered[whole(line.get("id"))] = at
        elif event == "approved":
            self.approved_at = at
        elif event == "limit":
            self.pauses.add((at, str(line.get("why", "")), amount(line.get("seconds"))))
        elif event == "stop":
            self.stops.add((at, whole(line.get("exit")), str(line.get("why", ""))))

    def _iteration(self, run: Run, line: Line) -> None:
        key = (self.runs // self._group, run.phase)
        self.runs += 1
        bar = self._bars.get(key) or Bar(run.n, run.n, run.phase, ON, 0.0, 0.0)
        self._bars[key] = bar.with_(run)
        self.by_phase[run.phase] += 1
        self.recent.append(run)
        if run.kind == BAD:
            self.failed_by_phase[run.phase] += 1
            self.failed.add(run)
        for denied in items(line.get("denied")):
            self.denied.add((run.n, str(denied)))
        for left in items(line.get("left_over")):
            self.left_over.add((run.n, str(left)))


def _run(line: Line, at: str) -> Run:
    cost, held = line.get("cost_usd"), line.get("held_usd")
    usd = held if cost is None else cost
    why = line.get("why") or line.get("note") or ""
    return Run(
        whole(line.get("n")), str(line.get("phase", "")), str(line.get("outcome", "")), str(why),
        amount(line.get("seconds")), None if usd is None else amount(usd),
        cost is None and held is not None, str(line.get("log", "")), at,
    )  # fmt: skip


def amount(value: object) -> float:
    """A number of the history that cannot be negative; 0 for anything else."""
    return max(number(value) or 0.0, 0.0)


def whole(value: object) -> int:
    return int(number(value) or 0)
