"""Render `_qa.md`, a pure function of the recorded questions and answers."""

from __future__ import annotations

import re
from typing import NamedTuple

from samocode.record.state import Question, SessionState
from samocode.record.words import clean

FIRST = '<!-- Samocode printed this page ({}). Write after "Answer:" and save. -->'
NUMBER = re.compile(r"^\W*Samocode printed this page \((\d{1,9})\)", re.M)
MOVING = re.compile(r"^(?=[ \t]*(?:#|\[[^\]\n]+\]:))", re.M)
"""Headings and link references, escaped in quoted text. A quote must not start a question, and
formatters move link references to the end of the page."""
LETTERS = "ABCDEF"


class Block(NamedTuple):
    """A printed question: the text above `Answer:`, and the answer after it."""

    question: Question
    heading: str
    above: str
    answer: str
    found: bool = False
    """Whether it is open again: text was found after a child ran, or the answer was removed."""

    @property
    def text(self) -> str:
        answer = MOVING.sub(r"\\", self.answer)
        shown = f" {answer}" if answer else ""
        return f"{self.heading}\n\n{self.above}Answer:{shown}\n"


class Page(NamedTuple):
    """`_qa.md` as printed after `number` lines of the history."""

    number: int
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        return "\n".join([FIRST.format(self.number) + "\n", *(block.text for block in self.blocks)])


def page(state: SessionState) -> Page | None:
    """Return the page for a state, or None if nothing was ever asked."""
    blocks = tuple(_block(state, question) for question in state.asked.values())
    return Page(state.lines, blocks) if blocks else None


def printed_number(text: str) -> int | None:
    """Return the number of history lines that the page's first line names, or None."""
    found = NUMBER.search(text)
    return int(found[1]) if found else None


def options(question: Question) -> list[tuple[str, str]]:
    """Return each option as (letter, line without the list marker)."""
    return [
        (letter, f"{letter}) {option}")
        for letter, option in zip(LETTERS, question.options, strict=False)
    ]


def _block(state: SessionState, question: Question) -> Block:
    parts = [f"Why: {question.why}"] if question.why else []
    if question.options:
        parts.append("\n".join(f"- {line}" for _, line in options(question)))
    if question.suggested:
        because = f", {question.because}" if question.because else ""
        parts.append(f"Suggested: {question.suggested}{because}")
    answer, found = state.answers.get(question.id), state.found.get(question.id)
    waits = found is not None
    if answer and waits:
        parts.append(f"Answered before:\n\n{_quoted(answer.text)}")
    if found:
        parts.append(f"Not taken yet:\n\n{_quoted(found)}")
    above = "".join(f"{part}\n\n" for part in parts)
    shown = answer.text if answer and not waits else ""
    return Block(question, f"## Q{question.id}: {question.title}", above, clean(shown), waits)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in MOVING.sub(r"\\", clean(text)).split("\n"))
