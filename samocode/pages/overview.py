"""`_overview.md`: the child's notebook. The loop only makes sure that there is one."""

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
    """The empty notebook of a new session."""
    files.write(folder / OVERVIEW, SKELETON.format(name=name))


def restore(folder: Path) -> str | None:
    """Write the skeleton again when there is no readable notebook, and return why; None when there
    is one. An unreadable one is kept beside, and the new one names it for the next child."""
    path, why, listed = folder / OVERVIEW, f"{OVERVIEW} was missing or empty", ""
    try:
        if (files.read(path) or b"").strip():
            return None
    except files.Unreadable as error:
        kept = files.set_aside(path).name
        why = f"{error}, and is {kept} now"
        listed = f"- {kept}: the notebook until now; take what counts from it, in few words\n"
    files.write(path, SKELETON.format(name=folder.name) + listed)
    return f"{why}: the skeleton is back."
