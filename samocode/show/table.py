"""The table of all sessions, as wide as its terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from samocode.show.columns import cut, one_line, printable, width
from samocode.show.row import Row
from samocode.show.text import since, span

HEAD = ("SESSION", "STATE", "PHASE", "RUNS", "USD", "AGE", "WAITS FOR")
RIGHT = ("RUNS", "USD", "AGE")
SPARED = ("RUNS", "AGE", "PHASE", "USD")  # left out on a narrow terminal, in this order
ROOM = 20  # columns for what a session waits for
NARROW, NARROW_NAME, MOST_NAME = 80, 22, 80  # columns; a long name leaves no room for the rest
DAYS = 2  # an age of at least so many days is shown in days


def table(rows: Sequence[Row], now: datetime, columns: int | None = None) -> str:
    """The rows below their headings. Where the terminal is narrow, columns are left out; what still
    does not fit is cut."""
    named = NARROW_NAME if columns and columns < NARROW else MOST_NAME
    cells = [HEAD, *(_cells(row, now, named) for row in rows)]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    kept = _kept(widths, columns)
    lines = [
        "  ".join(_padded(line[n], widths[n], HEAD[n]) for n in kept).rstrip() for line in cells
    ]
    unknown = any(row.held_usd or row.unpriced for row in rows)
    note = ["", "USD with +: some runs did not report what they cost."] if unknown else []
    return "\n".join([*(cut(line, columns) if columns else line for line in lines), *note])


def _kept(widths: Sequence[int], columns: int | None) -> list[int]:
    """The numbers of the columns that are shown."""
    kept, last = list(range(len(HEAD))), min(ROOM, widths[-1])
    for heading in SPARED:
        if columns is None or sum(widths[n] + 2 for n in kept[:-1]) + last <= columns:
            break
        kept.remove(HEAD.index(heading))
    return kept


def _cells(row: Row, now: datetime, named: int) -> tuple[str, ...]:
    more = "+" if row.held_usd or row.unpriced else ""
    cells = (
        cut(row.name, named), row.state, row.phase, f"{row.iterations}",
        f"{row.cost_usd:.2f}{more}", _age(row.made, now), row.waits_for,
    )  # fmt: skip
    return tuple(printable(one_line(cell)) for cell in cells)


def _age(made: str, now: datetime) -> str:
    if not made:
        return ""
    seconds = since(made, now)
    days = int(seconds // 86_400)
    return f"{days}d" if days >= DAYS else span(seconds)


def _padded(cell: str, wide: int, heading: str) -> str:
    space = " " * (wide - width(cell))
    return space + cell if heading in RIGHT else cell + space


def terminal_columns() -> int | None:
    """The width of the terminal; None if stdout is not one."""
    try:
        return os.get_terminal_size(1).columns or None
    except OSError:
        return None
