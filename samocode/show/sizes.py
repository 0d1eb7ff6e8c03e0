"""How much room the folders of a session take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

MOST = 200_000  # entries that are looked at, so that it takes seconds at most


class Size(NamedTuple):
    """Bytes of the files below a folder, without links and their targets."""

    bytes: int
    whole: bool
    """Whether it is the size of all files, not only of some."""

    def __str__(self) -> str:
        amount, unit = self.bytes / 1e3, "kB"
        for larger in ("MB", "GB"):
            if amount >= 1000:
                amount, unit = amount / 1000, larger
        text = f"{amount:.0f} {unit}" if unit == "kB" else f"{amount:.1f} {unit}"
        return text if self.whole else f"over {text}"


def size(folder: Path, most: int = MOST) -> Size:
    """The size of a folder; 0 if it is gone. Look at no more than `most` entries."""
    total, looked, whole, folders = 0, 0, True, [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    looked += 1
                    if looked > most:
                        return Size(total, whole=False)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:  # gone meanwhile
            continue
        except OSError:
            whole = False
    return Size(total, whole)
