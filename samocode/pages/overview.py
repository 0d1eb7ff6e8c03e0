"""`_overview.md`: the child's notebook. The loop only ensures that it exists."""

from __future__ import annotations

from pathlib import Path

from samocode.pages.names import OVERVIEW
from samocode.record import files

SKELETON = """# {name}

## Status
Phase: investigation
Last action: none yet
Next: read _task.md and begin

## Decisions

## Flow log

## Files
"""


def create(folder: Path, name: str) -> None:
    files.write(folder / OVERVIEW, SKELETON.format(name=name))


def restore(folder: Path) -> str | None:
    """Write an empty notebook if there is no readable one. Return why, or None. An unreadable
    notebook is renamed, and the new one tells the next child its name."""
    path, why, listed = folder / OVERVIEW, f"{OVERVIEW} was missing or empty", ""
    try:
        if (files.read(path) or b"").strip():
            return None
    except files.Unreadable as error:
        kept = files.set_aside(path).name
        why = f"{error}, and is {kept} now"
        listed = f"- {kept}: the notebook until now; take what counts from it, in few words\n"
    files.write(path, SKELETON.format(name=folder.name) + listed)
    return f"{why}. An empty notebook was created."
