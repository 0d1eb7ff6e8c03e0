"""The file `_qa.md` of one session: read it, and change it without losing a human's save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from samocode.pages import questions
from samocode.pages.names import QA
from samocode.pages.questions import Document, Question
from samocode.record import files
from samocode.record.state import SessionState


class QaFile(NamedTuple):
    """`_qa.md` in a session folder."""

    folder: Path

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / QA

    def read(self) -> Document:
        """Its questions; something that cannot be read holds none."""
        try:
            return questions.parse(files.read_text(self.path) or "")
        except files.Unreadable:
            return questions.parse("")

    def clear(self) -> None:
        """Set aside what is in its place and cannot be read."""
        try:
            files.read(self.path)
        except files.Unreadable:
            files.set_aside(self.path)

    def change(self, change: Callable[[Document], Document]) -> Document:
        """Replace the file by what `change` makes of it, and return that; again when somebody saved
        it meanwhile."""
        while True:
            now = self.read()
            text = change(now).text()
            unchanged = text == now.text()
            if unchanged or now.text() == self.read().text():
                if not unchanged:
                    files.write(self.path, text)
                return questions.parse(text)


def recorded(state: SessionState, document: Document, number: int) -> Question:
    """A recorded question as it must be in the file: as in `document` when its answer is the
    recorded one, else built from the record."""
    answer, found = state.answers.get(number), document.find(number)
    if found and found.answer == answer:
        return found
    rebuilt = questions.as_asked(state.asked[number])
    return questions.answered(rebuilt, answer) if answer is not None else rebuilt
