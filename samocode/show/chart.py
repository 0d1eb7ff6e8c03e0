"""Pictures as SVG. Lengths across are percent and heights pixels, so text keeps its size at any
width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from samocode.record.state import PHASES
from samocode.show.page import Markup, joined, tag
from samocode.show.past import BAD, Bar
from samocode.show.text import span

LABEL, LANE, GAP = 16, 18, 8  # pixels: text above a lane, a lane, the room below it
LOW = 6  # pixels that a failure is taller than other bars
COSTS = 40  # pixels: the highest column of the costs
THIN = 0.004  # of the width, at least: a crash of two seconds is visible beside a run of an hour
APART = 80  # bars; more are drawn without lines between them
LANES = 12  # at most; only a damaged history has more phases than seven


def timeline(bars: Sequence[Bar]) -> Markup:
    """Every iteration in the lane of its phase, as long as it took, and its cost below. The time
    between iterations is left out."""
    known = dict.fromkeys(bar.phase for bar in bars)
    named = [*(p for p in PHASES if p in known), *(p for p in known if p not in PHASES)]
    lanes = {phase: min(at, LANES - 1) for at, phase in enumerate(named)}
    top = min(len(named), LANES) * (LABEL + LANE + GAP)
    dearest = max((bar.usd for bar in bars), default=0.0)
    high = top + (LABEL + COSTS + GAP if dearest else 0)
    parts = [_lane(lanes[phase], phase) for phase in named[:LANES]]
    for bar, left, wide in _spread(bars):
        parts.append(_bar(bar, lanes[bar.phase] * (LABEL + LANE + GAP) + LABEL, left, wide))
        if dearest and bar.usd:
            tall = max(bar.usd / dearest * COSTS, 1.0)
            parts.append(_rect("usd", left, top + LABEL + COSTS - tall, wide, tall, _named(bar)))
    if dearest:
        each = "iteration" if all(bar.first == bar.last for bar in bars) else "bar"
        words = f"cost of each {each}, the highest {dearest:.2f} USD"
        parts.append(tag("text", words, x="0", y=f"{top + 11}"))
    return tag(
        "svg", *parts, width="100%", height=f"{high:.0f}", role="img",
        aria_label=_told(bars, named), class_="apart" if len(bars) <= APART else "",
    )  # fmt: skip


def meter(part: float, most: float) -> Markup:
    """A bar in a cell of a table, as a part of the longest. The number beside it says the same."""
    wide = 100 * part / most if most else 0.0
    bar = tag("rect", x="0", y="0", width=f"{wide:.2f}%", height="8", class_="on")
    return tag("svg", bar, width="100%", height="8", aria_hidden="true")


def _spread(bars: Sequence[Bar]) -> Iterator[tuple[Bar, float, float]]:
    """Each bar with its left end and its width in percent."""
    least = THIN * sum(bar.seconds for bar in bars) or 1.0
    lengths = [max(bar.seconds, least) for bar in bars]
    total, left = sum(lengths), 0.0
    for bar, length in zip(bars, lengths, strict=True):
        yield bar, 100 * left / total, 100 * length / total
        left += length


def _lane(at: int, phase: str) -> Markup:
    top = at * (LABEL + LANE + GAP)
    label = tag("text", phase[:40], x="0", y=f"{top + 11}")
    return joined((label, _rect("lane", 0, top + LABEL, 100, LANE)))


def _bar(bar: Bar, top: float, left: float, wide: float) -> Markup:
    low = 0 if bar.kind == BAD else LOW / 2
    return _rect(bar.kind, left, top + low, wide, LANE - 2 * low, _named(bar))


def _rect(kind: str, left: float, top: float, wide: float, tall: float, title: str = "") -> Markup:
    inside = (tag("title", title),) if title else ()
    return tag(
        "rect", *inside, x=f"{left:.3f}%", y=f"{top:.1f}", width=f"{wide:.3f}%",
        height=f"{tall:.1f}", class_=kind,
    )  # fmt: skip


def _named(bar: Bar) -> str:
    which = f"{bar.first}" if bar.first == bar.last else f"{bar.first} to {bar.last}"
    words = {"on": "went on", "you": "asked you", "bad": "failed"}[bar.kind]
    cost = f", {bar.usd:.2f} USD" if bar.usd else ""
    return f"{which} {bar.phase[:40]}: {words}, {span(bar.seconds)}{cost}"


def _told(bars: Sequence[Bar], named: Sequence[str]) -> str:
    """The picture in words."""
    seconds, failed = sum(b.seconds for b in bars), sum(b.kind == BAD for b in bars)
    phases = ", ".join(phase[:40] for phase in named[:LANES])
    return (
        f"Timeline of {span(seconds)} of work through {phases}; {failed} of {len(bars)} bars show "
        "a failure. The tables below have the same numbers."
    )
