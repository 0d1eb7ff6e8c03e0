"""The file `_qa.md` of one session: printed from the history, read for what a person added."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import final

from samocode.pages.answers import Reading, read
from samocode.pages.names import QA
from samocode.pages.questions import Page, page, printed_number
from samocode.pages.swap import encoded, recover, swap
from samocode.record import files
from samocode.record.history import History

NOTHING = Reading({}, {}, (), "")
MAX_PAGE = 16 << 20  # bytes; one answer has at most MAX_ANSWER


@final
class QaFile:
    """`_qa.md`. `read` it, record what it says, `print` it again."""

    def __init__(self, folder: Path, history: History, say: Callable[[str], None]) -> None:
        self.path = folder / QA
        self._history = history
        self._say = say
        self._last: Page | None = None  # the last print
        self._read_from: Page | None = None  # the print that the page was measured against
        self._seen: bytes | None = None  # the file as it was read or printed last

    def read(self) -> Reading:
        """What it says beyond its print. A file that cannot be read is kept beside."""
        recover(self.path)
        data = self._data()
        if data is None:
            asked = tuple(self._history.state.asked)
            return Reading({}, {}, asked, "")
        text = data.decode()
        current = self._print_of(text)
        if current is None or text == current.text:
            return NOTHING
        self._read_from = current
        return read(text, current)

    def showed_found(self, number: int) -> bool:
        """Whether the print that was read last showed a question's "Not taken yet"."""
        blocks = self._read_from.blocks if self._read_from else ()
        return any(b.question.id == number and b.found for b in blocks)

    def print(self) -> bool:
        """Print the page of the present state where it differs from what is there; False when a
        person saved meanwhile."""
        wanted = page(self._history.state)
        if wanted is None or (self._last and self._is_shown(self._last, wanted)):
            return True
        if not swap(self.path, wanted.text, self._seen):
            return False
        self._last, self._seen = wanted, encoded(wanted.text)
        return True

    def clear(self) -> None:
        """Keep beside what is in the place of a page that was never printed."""
        if os.path.lexists(self.path):
            kept = files.set_aside(self.path).name
            self._say(f"   {QA} was written before anything was asked: it is {kept} now.")
        self._seen = None

    def keep(self) -> str:
        """Keep the page as it was read under another name too; the name."""
        kept = files.free_name(self.path)
        files.write_bytes(kept, self._seen or b"")
        return kept.name

    def _data(self) -> bytes | None:
        """The file's bytes, None when there is none or it had to be kept beside."""
        self._seen = None
        try:
            data = files.read(self.path, MAX_PAGE)
            if data is not None:
                data.decode()
        except files.Unreadable as error:
            self._say(f"{error}: it is {files.set_aside(self.path).name} now.")
            return None
        except UnicodeDecodeError:
            kept = files.set_aside(self.path).name
            self._say(f"{QA} is not UTF-8 text: it is {kept} now. Save it as UTF-8.")
            return None
        self._seen = data
        return data

    def _print_of(self, text: str) -> Page | None:
        """The print that a page was made from; the last one when it names none."""
        number, lines = printed_number(text), self._history.state.lines
        if number is not None and number <= lines:
            if self._last and self._last.number == number:
                return self._last
            if found := page(self._history.at(number)):
                return found
        return self._last or page(self._history.state)

    def _is_shown(self, last: Page, wanted: Page) -> bool:
        shown = encoded(last.text)
        return last.blocks == wanted.blocks and self._seen == shown
