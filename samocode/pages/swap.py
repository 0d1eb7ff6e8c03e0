"""Replace a page that a human may be saving at this very moment, and lose neither."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from samocode.record import files


def swap(path: Path, data: bytes, seen: bytes | None) -> bool:
    """Put `data` in the place of a page that was `seen` (None: there was none), with its mode and
    owner. False, and the page as it is, when it is not what was seen any more: read it again.

    The old page is moved aside first and removed last: an editor may replace it in between, or
    still write into it.
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
    if old is not None and files.read_any(aside) != old:  # written to after it was moved aside
        if fresh and files.read_any(path) == data:
            path.unlink()
        recover(path)
        return False
    aside.unlink(missing_ok=True)
    return fresh


def recover(path: Path) -> None:
    """Undo a swap that was cut off: the old page gets its name back, or is kept beside another."""
    aside = _aside(path)
    if os.path.lexists(aside):
        aside.rename(files.free_name(path) if os.path.lexists(path) else path)


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ".swap")


def _link(temporary: Path, path: Path) -> bool:
    """Give the page its name unless somebody just took it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            return False
        temporary.rename(path)
    return True
