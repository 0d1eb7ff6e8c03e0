"""A file that the loop prints and that a person edits, maybe at this very moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import final

from samocode.pages.swap import recover, swap
from samocode.record import files
from samocode.record.words import clean


@final
class EditedFile:
    """One such file. A look at it is one stat; it is read when that differs from the last one."""

    def __init__(
        self, path: Path, printed: Callable[[str], str], say: Callable[[str], None],
        most: int = files.MAX_BYTES,
    ) -> None:  # fmt: skip
        """`printed` gives the print that a text was made from; `most` is in bytes."""
        self.path = path
        recover(path)  # a kill in the middle of a print
        self._printed, self._say, self._most = printed, say, most
        self.data: bytes | None = None
        """It, as it was read or printed last."""
        self._known: files.Stamp | None = ()  # its stat when it was read
        self._latest: files.Stamp | None = ()
        self._since = 0.0

    def changed(self) -> bool:
        """Whether it is another one than the one that was read last."""
        return files.stamp(self.path) != self._known

    def settled(self, seconds: float) -> bool:
        """Whether it may be read: it is as it was printed, or unchanged for so many seconds, since
        editors save in pieces."""
        stamp, now = files.stamp(self.path), time.monotonic()
        if stamp not in (self._known, self._latest):
            self._latest, self._since = stamp, now
            data = files.read_any(self.path, self._most) if stamp else None
            text = clean((data or b"").decode("utf-8", "replace"))
            if data == self.data or text == self._printed(text):
                self._known, self.data = stamp, data
        return stamp == self._known or now - self._since >= seconds

    def read(self) -> str | None:
        """Its text, None when there is none. What cannot be read is kept beside."""
        recover(self.path)
        self._known, self.data = files.stamp(self.path), None
        try:
            data = files.read(self.path, self._most)
            text = None if data is None else clean(data.decode())
        except files.Unreadable as error:
            why = str(error)
        except UnicodeDecodeError:
            why = f"{self.path.name} is not UTF-8 text (save it as UTF-8)"
        else:
            self.data = data
            return text
        self.put_aside(why)
        return None

    def print(self, text: str) -> bool:
        """Print `text` where it is not what was read last; False when a person saved meanwhile."""
        data = text.encode()
        if data == self.data:
            return True
        if not swap(self.path, data, self.data):
            return False
        self.data, self._known = data, ()
        return True

    def put_aside(self, why: str) -> None:
        """Keep beside what is in its place, and say why."""
        self.data = None
        self._say(f"{why}: it is {files.set_aside(self.path).name} now.")

    def keep(self) -> str:
        """Keep what was read last under another name too; the name."""
        kept = files.free_name(self.path)
        files.write_bytes(kept, self.data or b"")
        return kept.name
