"""Replace a page that a person may be saving at the same time, without losing either version."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from samocode.record import files


def swap(path: Path, data: bytes, seen: bytes | None) -> bool:
    """Replace a page whose content was `seen` (None: no file), keeping its mode and owner.

    Returns False and leaves the page as it is if its content is no longer `seen`.

    The old page is moved aside first and deleted last, because an editor may replace it in between
    or still be writing to it.
    """
    recover(path)
    aside = _aside(path)
    temporary = files.create(path, data, like=path)
    with contextlib.suppress(FileNotFoundError):
        path.rename(aside)
    old = files.read_any(aside) if os.path.lexists(aside) else None
    if old != seen:
        temporary.unlink()
        recover(path)
        return False
    fresh = _link(temporary, path)
    temporary.unlink(missing_ok=True)
    if old is not None and files.read_any(aside) != old:  # an editor still had it open
        if fresh and files.read_any(path) == data:
            path.unlink()
        recover(path)
        return False
    aside.unlink(missing_ok=True)
    return fresh


def recover(path: Path) -> None:
    """Undo an interrupted swap: rename the old page back, or to a free name."""
    aside = _aside(path)
    if os.path.lexists(aside):
        aside.rename(files.free_name(path) if os.path.lexists(path) else path)


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ".swap")


def _link(temporary: Path, path: Path) -> bool:
    """Link the file to `path`. Return False if that name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # no hard links on this file system
        if os.path.lexists(path):
            return False
        temporary.rename(path)
    return True
