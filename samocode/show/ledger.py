"""The iterations of a session in numbers: the parts of a report that the history alone gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from samocode.record.state import Spent
from samocode.show.chart import meter, timeline
from samocode.show.page import Folder, Markup, bullets, joined, table, tag, text
from samocode.show.past import BAD, Past, Run
from samocode.show.text import ended, in_words, moment, span

RECENT, MOST = 200, 100  # rows of the table; entries of every other list
BRIEF = 300  # characters of a text in a row
T = TypeVar("T")


def picture(past: Past) -> Markup:
    """The timeline, with its legend."""
    if not past.runs:
        return text("")
    bars = past.bars
    several = any(bar.first != bar.last for bar in bars)
    shared = "Several iterations share a bar, which shows the worst. " if several else ""
    words = (
        f"The iterations from left to right; the width is the time that each took. {shared}Solid: "
        "it went on. Hollow: it asked you, or was stopped. Tall and red: it failed."
    )
    return tag("figure", timeline(bars), tag("figcaption", words))


def spent(past: Past, phases: Mapping[str, Spent]) -> Markup:
    """Time and money by phase, as `--status` has them, and how many iterations failed."""
    runs, failed = (Counter(run.phase for run in found) for found in (past.runs, past.failed))
    longest = max((phase.seconds for phase in phases.values()), default=0.0)
    dearest = max((phase.usd for phase in phases.values()), default=0.0)
    heads = {"phase": "name", "runs": "number", "failed": "number", "time": "", "USD": ""}
    return table(heads, (
        (name, f"{runs[name]}", f"{failed[name]}",
         joined((span(phase.seconds), meter(phase.seconds, longest))),
         joined((f"{phase.usd:.2f}", meter(phase.usd, dearest))))
        for name, phase in list(phases.items())[:MOST]
    ))  # fmt: skip


def trouble(past: Past, logs: Folder) -> Markup:
    """Failures, waits, denials, ended processes and stops, each as a list."""
    parts = {
        "Failed iterations": _some(past.failed, lambda run: _failure(run, logs)),
        "Waits for the API": _some(
            past.pauses,
            lambda it: joined((f"{moment(it[0])}: ", text(it[1], BRIEF), f", {span(it[2])}")),
        ),
        "Denied to the child": _some(
            [(run.n, denied) for run in past.runs for denied in run.denied], _numbered
        ),
        "Processes that a child left running; the loop ended them": _some(
            [(run.n, left) for run in past.runs for left in run.left_over], _numbered
        ),
        "Stops": _some(past.stops, _stop),
    }
    return joined(joined((tag("h3", name), part)) for name, part in parts.items() if part)


def each(past: Past, logs: Folder) -> Markup:
    """The last iterations, a row for each."""
    heads = {"n": "number", "phase": "name", "outcome": "", "time": "number", "USD": "number"}
    heads["ended"] = "number wide"
    recent = past.runs[-RECENT:]
    rows = table(heads, (_row(run, logs) for run in recent))
    left = len(past.runs) - len(recent)
    note = (
        f"The last {len(recent)} of {len(past.runs)}; {left} earlier ones are only in the timeline "
        "and in the totals by phase."
    )
    held = "held: it did not report its cost, so its budget counts."
    notes = [note] * (left > 0) + [held] * any(run.held for run in recent)
    return joined((*(tag("p", note, class_="dim") for note in notes), rows))


def _row(run: Run, logs: Folder) -> tuple[str, ...]:
    words = tag("span", in_words(run.outcome)[:BRIEF], class_=run.kind)
    why = tag("small", " ", text(run.why, BRIEF)) if run.why and run.kind == BAD else ""
    usd = "unknown" if run.usd is None else f"{run.usd:.2f}" + " held" * run.held
    return (
        logs.link(run.log, f"{run.n}"), run.phase[:BRIEF], joined((words, why)),
        span(run.seconds), usd, moment(run.at),
    )  # fmt: skip


def _failure(run: Run, logs: Folder) -> Markup:
    where = logs.link(run.log, f"{run.n} {run.phase[:BRIEF]}")
    return joined((where, f": {in_words(run.outcome)[:BRIEF]}. ", text(run.why, BRIEF)))


def _numbered(entry: tuple[int, str]) -> Markup:
    return joined((f"iteration {entry[0]}: ", text(entry[1], BRIEF)))


def _stop(entry: tuple[str, int, str]) -> Markup:
    at, code, why = entry
    return joined((f"{moment(at)}: {ended(code)}. ", text(why, BRIEF)))


def _some(found: Sequence[T], shown: Callable[[T], Markup]) -> Markup:
    """A list of the first entries, and how many more there are."""
    more = [f"and {len(found) - MOST} more"] if len(found) > MOST else []
    return bullets((*map(shown, found[:MOST]), *more))
