"""What a running child does, by the end of its log."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from samocode.child.stream import Reader
from samocode.pages.names import LOGS
from samocode.record import files
from samocode.session import Session
from samocode.show.live import describe

END = 1 << 18  # bytes of the log


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
    """What the child of the iteration that runs does; None where none runs."""
    begun = session.state.pending
    if begun is None:
        return None
    log, data, heard = session.folder / LOGS / Path(begun.log).name, b"", None
    with contextlib.suppress(files.Unreadable, OSError):
        data = files.tail(log, END)
        moment = datetime.fromtimestamp(log.lstat().st_mtime).astimezone()
        heard = moment.isoformat(timespec="seconds") if data else None
    lines = [line for event in Reader().feed(data) for line in describe(event)]
    last = lines[-1].strip() if lines else ""
    for folder in (session.folder, session.cwd):
        last = last.replace(f"{folder}/", "")
    return Doing(begun.n, session.state.began, last, heard)
