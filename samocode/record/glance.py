"""A session's state from the end of its history: enough for a row of --status, and quick.

`iteration` and `stop` lines carry `totals`, what a row needs of the lines before them. A state that
begins with those and folds the last lines shows the same as the whole history, which the fold reads
without them.
"""

from __future__ import annotations

from pathlib import Path

from samocode.record import files
from samocode.record.fold import Line, fold
from samocode.record.history import VERSION, History
from samocode.record.state import SessionState
from samocode.record.untrusted import items, mapping, parse

END = 8192  # bytes
MARK = b'"totals": {'
NAMES = ("started", "program", "round", "phase", "iterations", "cost_usd", "held_usd", "unpriced")


def totals(state: SessionState) -> dict[str, object]:
    """What a row needs of a state."""
    waits = [{"id": q.id, "kind": q.kind, "title": q.title} for q in state.open]
    found = {name: value for name in NAMES if (value := getattr(state, name))}
    return {**found, **({"open": waits} if waits else {}), **({} if state.done is None else DONE)}


DONE = {"done": ""}  # the summary is long, and no row shows it


def glance(history: Path, end: int = END) -> SessionState:
    """The state as far as a row shows it. UserError when the history cannot be read."""
    try:
        data = files.tail(history, end)
    except files.Unreadable:
        data = b""
    state = _from_end(data) if len(data) == end else None
    return state or History(history).load(repair=False).state


def _from_end(data: bytes) -> SessionState | None:
    """The state by the last line with totals and those after it; None when they do not say."""
    last = data.rfind(MARK)
    begin = data.rfind(b"\n", 0, last) + 1
    if last < 0 or begin == 0:  # that line may have begun earlier
        return None
    lines = [mapping(parse(line)) for line in data[begin:].split(b"\n")]
    if not lines[-1]:  # empty, or torn by a kill
        lines.pop()
    try:
        return _folded(lines)
    except (AttributeError, KeyError, TypeError, ValueError):  # an old question is answered anew
        return None


def _folded(lines: list[Line]) -> SessionState:
    known = lines[0]["totals"]
    values = {name: known[name] for name in (*NAMES, "done") if name in known}
    state = SessionState(version=VERSION, **values)
    for question in items(known.get("open")):
        fold(state, {**mapping(question), "event": "asked"})
    for line in lines:
        fold(state, {"event": line["event"], **line})
    return state
