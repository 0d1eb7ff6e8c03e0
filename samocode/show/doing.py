"""What a running child does, read from the end of its log."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from samocode.child.stream import Reader
from samocode.pages.names import LOGS
from samocode.record import files
from samocode.session import Session
from samocode.show.child import ChildLines

END = 1 << 18  # bytes that are read of the log


class Doing(NamedTuple):
    """A child at work."""

    iteration: int
    since: str
    """When its iteration began, as ISO 8601."""
    last: str
    """The last thing it did or said; empty before the first."""
    heard: str | None
    """When its log grew last, as ISO 8601; None before that."""


def doing(session: Session) -> Doing | None:
    """What the running child does; None if no iteration runs."""
    begun = session.state.pending
    if begun is None:
        return None
    log, data, heard = session.folder / LOGS / Path(begun.log).name, b"", None
    with contextlib.suppress(OSError):
        data = files.tail(log, END)
        moment = datetime.fromtimestamp(log.lstat().st_mtime).astimezone()
        heard = moment.isoformat(timespec="seconds") if data else None
    lines = ChildLines((str(session.folder), str(session.cwd)), time.monotonic)
    said = [line.text.strip() for event in Reader().feed(data) for line in lines.of(event)]
    return Doing(begun.n, session.state.began, said[-1] if said else "", heard)
