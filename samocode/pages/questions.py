"""`_qa.md` as it is printed: a pure function of the questions and answers on record."""

from __future__ import annotations

import re
from typing import NamedTuple

from samocode.record.state import Question, SessionState
from samocode.record.words import clean

FIRST = '<!-- Samocode printed this page ({}). Write after "Answer:" and save. -->'
NUMBER = re.compile(r"^\W*Samocode printed this page \((\d{1,9})\)", re.M)
MOVING = re.compile(r"^(?=[ \t]*(?:#|\[[^\]\n]+\]:))", re.M)
"""Headings and link references: what is quoted must begin no question, and formatters collect the
references of a page at its end."""
LETTERS = "ABCDEF"


class Block(NamedTuple):
    """One question as printed: what is above `Answer:`, and the answer that is shown after it."""

    question: Question
    heading: str
    above: str
    answer: str
    found: bool = False
    """Whether `above` shows a text that is not taken yet."""

    @property
    def text(self) -> str:
        """The whole block."""
        answer = MOVING.sub(r"\\", self.answer)
        shown = f" {answer}" if answer else ""
        return f"{self.heading}\n\n{self.above}Answer:{shown}\n"


class Page(NamedTuple):
    """`_qa.md` after so many lines of the history."""

    number: int
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """The file's text."""
        return "\n".join([FIRST.format(self.number) + "\n", *(block.text for block in self.blocks)])


def page(state: SessionState) -> Page | None:
    """The page of this state; None when nothing was ever asked."""
    blocks = tuple(_block(state, question) for question in state.asked.values())
    return Page(state.lines, blocks) if blocks else None


def printed_number(text: str) -> int | None:
    """The print that a page names: the number of history lines that it shows."""
    found = NUMBER.search(text)
    return int(found[1]) if found else None


def options(question: Question) -> list[tuple[str, str]]:
    """(letter, option line without its list mark) of each option."""
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
    before = state.before.get(question.id) or (answer.text if answer and waits else "")
    if before:
        parts.append(f"Answered before:\n\n{_quoted(before)}")
    if found:
        parts.append(f"Not taken yet:\n\n{_quoted(found)}")
    above = "".join(f"{part}\n\n" for part in parts)
    shown = answer.text if answer and not waits else ""
    return Block(question, f"## Q{question.id}: {question.title}", above, clean(shown), waits)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in MOVING.sub(r"\\", clean(text)).split("\n"))
