"""`_qa.md` of a session: printed from the history, and read for what a person added."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import final

from samocode.pages.answers import Reading, read
from samocode.pages.edited import EditedFile
from samocode.pages.names import QA
from samocode.pages.questions import Page, page, printed_number
from samocode.record.history import History

MAX_PAGE = 16 << 20  # bytes; a single answer is limited by MAX_ANSWER


@final
class QaFile:
    """`_qa.md`. Read it, record what it says, then print it again."""

    def __init__(self, folder: Path, history: History, say: Callable[[str], None]) -> None:
        self.file = EditedFile(folder / QA, lambda text: self._print_of(text)[1], say, MAX_PAGE)
        self.untaken: frozenset[int] = frozenset()
        """Questions that were open again (Block.found) on the page that was last read."""
        self._history = history
        self._last: Page | None = None
        self._shown: tuple[int, bytes | None] = (0, None)  # lines of the history, content

    def read(self) -> Reading:
        """Return what was added to the page. Empty if the file did not change."""
        if not self.file.changed():
            return Reading({}, {}, (), "")
        text = self.file.read()
        if text is None:
            return Reading({}, {}, tuple(self._history.state.asked), "")
        current, printed = self._print_of(text)
        if current is None:
            self.file.put_aside(f"   {QA} was written before anything was asked")
        if current is None or text == printed:
            return Reading({}, {}, (), "")
        self.untaken = frozenset(b.question.id for b in current.blocks if b.found)
        return read(text, current)

    def print(self) -> bool:
        """Print the page of the current state. Return False if a person saved meanwhile. A gate
        calls this twice a second, for hours, so the page is made only if something changed."""
        state = self._history.state
        if (state.lines, self.file.data) == self._shown:
            return True
        wanted = page(state)
        if wanted and self._last and wanted.blocks == self._last.blocks:
            wanted = self._last
        if wanted and not self.file.print(wanted.text):
            return False
        self._last, self._shown = wanted, (state.lines, self.file.data)
        return True

    def _print_of(self, text: str) -> tuple[Page | None, str]:
        """Return the page that a text was based on, and its printed text. If the text has no
        print number, the last page is used."""
        state, number = self._history.state, printed_number(text)
        found = self._last or page(state)
        if number is not None and number <= state.lines and not (found and found.number == number):
            found = page(self._history.at(number)) or found
        printed = found.text if found else ""
        if text == printed:
            self._last = found
        return found, printed
