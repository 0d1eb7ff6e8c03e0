"""`_qa.md`: the one Markdown form that the loop reads. Pure text in, text out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from samocode.pages.fences import ANSWER, QUESTION, left_open, masked
from samocode.record.state import Asked

SUGGESTED = re.compile(r"^ {0,3}\**Suggested\**[ \t]*:\**[ \t]*(\S.*)$", re.M | re.I)
UNCONFIRMED = re.compile(r"^ {0,3}Unconfirmed: ?(.*)$", re.M)
PLACEHOLDERS = frozenset({"tbd", "todo", "pending"})
APPROVALS = frozenset({"a", "y", "yes", "ok", "okay", "approve", "approved", "lgtm", "a approve"})


class Question(NamedTuple):
    """One question block; `text` is the block as it stands in the file, heading included."""

    id: int
    title: str
    text: str
    suggested: str | None
    answer: str | None
    """What the human wrote, stripped; None while open (empty, punctuation, a comment, a
    placeholder)."""
    unconfirmed: str | None
    """Text that stood after `Answer:` while a child ran and still waits for a human's word."""


class Document(NamedTuple):
    """A parsed `_qa.md`: what stands before the first question, then the questions in order."""

    preamble: str
    questions: tuple[Question, ...]

    def find(self, number: int) -> Question | None:
        """The first question with this number."""
        return next((q for q in self.questions if q.id == number), None)

    def text(self) -> str:
        """The file's text again; parse(x).text() == x."""
        return self.preamble + "".join(q.text for q in self.questions)


def parse(text: str) -> Document:
    """Read `_qa.md`. Never fails: what is no question is preamble or belongs to the question above
    it."""
    plain = masked(text)
    heads = list(QUESTION.finditer(plain))
    ends = [*(h.start() for h in heads[1:]), len(text)]
    spans = zip(heads, ends, strict=False)
    return Document(
        preamble=text[: heads[0].start()] if heads else text,
        questions=tuple(
            _question(h, text[h.start() : end], plain[h.start() : end]) for h, end in spans
        ),
    )


def answered(question: Question, text: str, by: str | None = None) -> Question:
    """The question with `text` as its answer; `by` adds the line that says who answered for the
    human.

    A line of the answer that reads like a question's heading is indented, so that it stays an
    answer.
    """
    told = QUESTION.sub(lambda heading: " " + heading[0], text.strip())
    return rewrite(question, " " + told if told else "", [f"By: {by}"] if by else [])


def labelled(question: Question) -> bool:
    """Whether it has a line `Answer:`."""
    return ANSWER.search(masked(question.text)) is not None


def with_label(question: Question) -> Question:
    """The question with its line `Answer:`, at its end when somebody wrote over it."""
    return question if labelled(question) else rewrite(question, "", [])


def meaning(raw: str) -> str | None:
    """An answer's text, or None when it says nothing: empty, punctuation, a comment or a
    placeholder."""
    text = _without_comments(raw).replace("\r\n", "\n").strip()
    if _words(text) in PLACEHOLDERS or not any(_says_something(c) for c in text):
        return None
    return text


def approves(answer: str) -> bool:
    """True when all of the answer, case and punctuation aside, is a yes. "approve?" is none."""
    return "?" not in answer and _words(answer) in APPROVALS


def unfinished(answer: str) -> bool:
    """True when a yes breaks off in the middle of a sentence: an editor may have saved it by
    itself, and "yes," is no yes before one knows what follows."""
    return approves(answer) and answer.rstrip().endswith((",", ";", ":", "-", "\u2013", "\u2014"))


def confirms(answer: str) -> bool:
    """True when the human confirms an unconfirmed text."""
    return _words(answer) == "same"


def approval(number: int, plan: str, why: str) -> Question:
    """The question that only the loop writes: may this plan be carried out?"""
    text = (
        f"## Q{number}: Approve the plan {plan}?\nWhy: {why}\n"
        "- A) Approve\n- B) Change: say what\nAnswer:\n"
    )
    return parse(text).questions[0]


def appended(document: Document, question: Question) -> Document:
    """The document with one more question at its end."""
    return joined_blocks(document.preamble, [*document.questions, question])


def as_asked(asked: Asked) -> Question:
    """A recorded question as it was asked."""
    return parse(asked.text).questions[0]


def _question(head: re.Match[str], text: str, plain: str) -> Question:
    mark = ANSWER.search(plain)
    above = text[: mark.start()] if mark else text
    suggestion = SUGGESTED.search(plain[: len(above)])
    unconfirmed = "\n".join(line.rstrip("\r") for line in UNCONFIRMED.findall(above))
    answer = meaning(text[mark.end() :]) if mark else None
    if answer is not None and unconfirmed and confirms(answer):
        answer = unconfirmed
    return Question(
        id=int(head[1]),
        title=head[2].strip().strip("*").strip(),
        text=text,
        suggested=suggestion[1].strip() if suggestion else None,
        answer=answer,
        unconfirmed=unconfirmed or None,
    )


def rewrite(question: Question, answer: str, extra: list[str]) -> Question:
    """The block with `extra` lines above its `Answer:` and `answer` after it; everything else as it
    was."""
    eol = "\r\n" if "\r\n" in question.text else "\n"
    mark = ANSWER.search(masked(question.text))
    above = question.text[: mark.start()] if mark else question.text.rstrip() + eol
    tail = question.text[len(question.text.rstrip()) :] or eol
    lines = "".join(line + eol for line in extra)
    text = above + lines + (mark[0] if mark else "Answer:") + answer.replace("\n", eol) + tail
    return parse(text).questions[0]


def joined_blocks(preamble: str, blocks: Iterable[Question]) -> Document:
    """Blocks one below the other, each heading at the beginning of a line, a blank line between."""
    if preamble and not preamble.endswith("\n"):
        preamble += "\n"
    if mark := left_open(preamble):
        preamble += f"{mark}\n"
    return Document(preamble, tuple(map(_ending_in_a_blank_line, blocks)))


def _ending_in_a_blank_line(block: Question) -> Question:
    if block.text.endswith(("\n\n", "\n\r\n")):
        return block
    return block._replace(text=block.text + ("\n" if block.text.endswith("\n") else "\n\n"))


def _without_comments(text: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join(kept) + text[at:]


def _says_something(char: str) -> bool:
    return (
        not char.isspace() and unicodedata.category(char)[0] not in "PC" and char not in "`^~|=+<>$"
    )


def _words(text: str) -> str:
    """Lower case, punctuation out, single spaces: what two answers are compared by."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
