"""`_task.md`: the human's words, printed from the history for the child to read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from samocode.pages.names import TASK
from samocode.record import files


def header(name: str) -> str:
    """The first line of a new session's page."""
    return f"# {name}: the human's words, kept by the loop\n"


def restore(folder: Path, texts: Iterable[tuple[str, str, str]]) -> None:
    """Append each recorded text (time, kind, text) that the page does not hold: a killed loop may
    have recorded it and no more."""
    path = folder / TASK
    present = files.read_any(path).decode("utf-8", "surrogateescape")
    for when, kind, text in texts:
        entry = f"\n## {when[:16].replace('T', ' ')} {kind}\n\n{text.strip()}\n"
        if entry not in present:
            files.append(path, entry.encode("utf-8", "surrogateescape"))
