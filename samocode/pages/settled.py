"""Whether a file is whole: editors save in pieces, and a half-saved answer is none."""

from __future__ import annotations

import time
from pathlib import Path
from typing import final


@final
class Settled:
    """Watches one file: has it been unchanged for so many seconds?"""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._seen = self._mark()
        age = time.time() - self._seen[0] / 1e9
        self._since = time.monotonic() - (seconds if age >= seconds else 0)

    def settled(self) -> bool:
        """Whether it was unchanged for long enough; a missing file counts as settled."""
        mark = self._mark()
        if mark != self._seen:
            self._seen, self._since = mark, time.monotonic()
        return time.monotonic() - self._since >= self._seconds

    def _mark(self) -> tuple[int, int, int]:
        try:
            status = self._path.lstat()
        except OSError:
            return (0, 0, 0)
        return (status.st_mtime_ns, status.st_size, status.st_ino)

    def wait(self, most: float) -> None:
        """Return once it is settled, or after `most` seconds."""
        until = time.monotonic() + most
        while not self.settled() and time.monotonic() < until:
            time.sleep(self._seconds / 10)
