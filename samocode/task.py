"""The human's words: on record, and in `_task.md`, where a child reads them."""

from __future__ import annotations

from collections.abc import Mapping

from samocode import files
from samocode.decision import Exit
from samocode.past import Past
from samocode.session import TASK, Session


def take(session: Session, texts: Mapping[str, str]) -> tuple[str, ...]:
    """Put the words of this start on record and into the file; returns the kinds of those that
    stood there already, word for word."""
    restore(session)
    past = session.history.past  # as it was: a round that the first text opens is the second's too
    known = tuple(kind for kind, text in texts.items() if _stands(past, kind, text))
    for kind, text in texts.items():
        if kind not in known:
            add(session, "note" if past.iteration and past.done is None else kind, text)
    return known


def add(session: Session, kind: str, text: str) -> None:
    """Take the human's words into the record."""
    session.history.append("task", kind=kind, text=text)
    restore(session)


def _stands(past: Past, kind: str, text: str) -> bool:
    """Whether the words are on record: the command of old was given again. A note after "blocked"
    is a decision, and may be the same as the last one."""
    kinds = {known for _, known, old in past.texts if old.strip() == text.strip()}
    if kinds == {"note"} and past.stopped and past.stopped[0] == Exit.BLOCKED:
        return False
    return bool(kinds) if past.iteration else kind in kinds


def restore(session: Session) -> None:
    """Every text on record stands in `_task.md`; a killed loop may not have got that far."""
    path = session.folder / TASK
    present = files.read_any(path).decode("utf-8", "surrogateescape")
    for when, kind, text in session.history.past.texts:
        entry = f"\n## {when[:16].replace('T', ' ')} {kind}\n\n{text.strip()}\n"
        if entry not in present:
            files.append(path, entry.encode("utf-8", "surrogateescape"))
