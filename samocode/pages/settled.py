"""Whether a file is whole and was not read yet: editors save in pieces, and a half-saved answer is
none."""

from __future__ import annotations

import time
from pathlib import Path
from typing import final


@final
class Settled:
    """Watches one file: has it been unchanged for so many seconds, and since it was read?"""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._seen = self._look()
        self._read: tuple[int, int, int] | None = None
        age = time.time() - self._seen[0] / 1e9
        self._since = time.monotonic() - (seconds if age >= seconds else 0)

    def settled(self) -> bool:
        """Whether it was unchanged for long enough; a missing file counts as settled."""
        seen = self._look()
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since >= self._seconds

    def begin_read(self) -> bool:
        """Whether it must be read: it is another one than at the last call. Call it right before
        reading, so that a save during the read is seen the next time."""
        seen = self._look()
        changed, self._read = seen != self._read, seen
        return changed

    def changed(self) -> bool:
        """Whether it is another one than it was when it was read last."""
        return self._look() != self._read

    def _look(self) -> tuple[int, int, int]:
        try:
            status = self._path.lstat()
        except OSError:
            return (0, 0, 0)
        return (status.st_mtime_ns, status.st_size, status.st_ino)
