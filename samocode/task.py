"""The human's words: on record, and in `_task.md`, where a child reads them."""

from __future__ import annotations

from collections.abc import Mapping

from samocode import files
from samocode.session import TASK, Session


def take(session: Session, texts: Mapping[str, str]) -> bool:
    """Put the words of this start on record and into the file; whether any were new."""
    restore(session)
    new = [add(session, kind, text) for kind, text in texts.items()]
    return any(new)


def add(session: Session, kind: str, text: str) -> bool:
    """Take the human's words into the record; False when they stand there word for word already."""
    past = session.history.past
    if any(text.strip() == known.strip() for _, _, known in past.texts):
        return False
    if past.texts and past.done is None and past.iteration:
        kind = "note"
    session.history.append("task", kind=kind, text=text)
    restore(session)
    return True


def restore(session: Session) -> None:
    """Every text on record stands in `_task.md`; a killed loop may not have got that far."""
    path = session.folder / TASK
    present = files.read_any(path).decode("utf-8", "surrogateescape")
    for when, kind, text in session.history.past.texts:
        entry = f"\n## {when[:16].replace('T', ' ')} {kind}\n\n{text.strip()}\n"
        if entry not in present:
            files.append(path, entry.encode("utf-8", "surrogateescape"))
