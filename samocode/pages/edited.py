"""A file that the loop prints and a person edits, possibly at the same time."""

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
    """A file that the loop prints and a person edits. It is read again only if its stat changed."""

    def __init__(
        self, path: Path, printed: Callable[[str], str], say: Callable[[str], None],
        most: int = files.MAX_BYTES,
    ) -> None:  # fmt: skip
        """`printed` returns what was printed for a given text; `most` is a limit in bytes."""
        self.path = path
        recover(path)  # a print may have been interrupted by a kill
        self._printed, self._say, self._most = printed, say, most
        self.data: bytes | None = None
        """The content last read or printed."""
        self._known: files.Stamp | None = ()  # stamp of the content last read
        self._latest: files.Stamp | None = ()
        self._since = 0.0

    def changed(self) -> bool:
        """Whether the file changed since it was last read."""
        return files.stamp(self.path) != self._known

    def settled(self, seconds: float) -> bool:
        """Whether the file is as printed, or unchanged for `seconds`: editors save in steps."""
        stamp, now = files.stamp(self.path), time.monotonic()
        if stamp not in (self._known, self._latest):
            self._latest, self._since = stamp, now
            data = files.read_any(self.path, self._most) if stamp else None
            text = clean((data or b"").decode("utf-8", "replace"))
            if data == self.data or text == self._printed(text):
                self._known, self.data = stamp, data
        return stamp == self._known or now - self._since >= seconds

    def read(self) -> str | None:
        """Return the text, or None without a file. An unreadable file is renamed."""
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
        """Print `text` unless it is there already. Return False if a person saved meanwhile."""
        data = text.encode()
        if data == self.data:
            return True
        if not swap(self.path, data, self.data):
            return False
        self.data, self._known = data, ()
        return True

    def put_aside(self, why: str) -> None:
        """Rename the file and say why."""
        self.data = None
        self._say(f"{why}. It was renamed to {files.set_aside(self.path).name}.")

    def keep(self) -> str:
        """Save the content last read under a free name and return the name."""
        kept = files.free_name(self.path)
        files.write(kept, self.data or b"")
        return kept.name
