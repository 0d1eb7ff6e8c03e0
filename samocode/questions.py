"""`_qa.md`: the one Markdown form that the loop reads. Pure text in, text out (protocol.md,
Gates)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from samocode.fences import ANSWER, QUESTION, left_open, masked

SUGGESTED = re.compile(r"^ {0,3}\**Suggested\**[ \t]*:\**[ \t]*(\S.*)$", re.M | re.I)
UNCONFIRMED = re.compile(r"^ {0,3}Unconfirmed: ?(.*)$", re.M)
MAX_NEW = 50  # questions that one iteration may ask; a person has to answer them
MAX_GAP = 1000  # a number further above the last is no count of questions
PLACEHOLDERS = frozenset({"tbd", "todo", "pending"})
APPROVALS = frozenset({"a", "y", "yes", "ok", "okay", "approve", "approved", "lgtm", "a approve"})


@dataclass(frozen=True)
class Question:
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


@dataclass(frozen=True)
class Document:
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
    return _rewrite(question, " " + told if told else "", [f"By: {by}"] if by else [])


def labelled(question: Question) -> bool:
    """Whether it has a line `Answer:`."""
    return ANSWER.search(masked(question.text)) is not None


def with_label(question: Question) -> Question:
    """The question with its line `Answer:`, at its end when somebody wrote over it."""
    return question if labelled(question) else _rewrite(question, "", [])


def joined(document: Document, asked: Mapping[int, Question]) -> Document:
    """The document with these questions only: any other heading belongs to the answer above it,
    where it is indented. Of two with one number it is the one with the title that was asked."""
    blocks: list[Question] = []
    for found in document.questions:
        alike = [q for q in document.questions if q.id == found.id]
        titled = [q for q in alike if q.id in asked and q.title == asked[q.id].title]
        if blocks and (found.id not in asked or found is not (titled or alike)[0]):
            blocks[-1] = _one(f"{blocks[-1].text} {found.text}")
        else:
            blocks.append(found)
    return Document(document.preamble, tuple(blocks))


def _one(text: str) -> Question:
    """The text as one question, whatever headings are in it: those that a fence of their own hid
    before they stood in an answer, too."""
    first, *rest = parse(text).questions
    return _one(" ".join(q.text for q in (first, *rest))) if rest else first


def protect(after: Document, kept: Mapping[int, Question]) -> tuple[Document, tuple[str, ...]]:
    """What a child left of `_qa.md`, put right: (document, what was put right).

    `kept` are the recorded questions as they stood before. They come back as they were; a text
    that was put in place of a recorded answer is kept as unconfirmed. New questions get a number
    of their own, and lose answers that no human can have given.
    """
    said: list[str] = []
    first = {q.id: q for q in reversed(after.questions)}
    back = {number: _restored(first.get(number), old, said) for number, old in kept.items()}
    blocks: list[Question] = []
    top = max(kept, default=0)
    for found in after.questions:
        if found.id in kept and found is first[found.id]:
            continue  # dealt with above
        if found.id in kept and found.title == kept[found.id].title:
            if found.answer not in (None, back[found.id].answer):  # a copy, answered otherwise
                back[found.id] = _noting(back[found.id], str(found.answer))
            continue
        new = found if top < found.id <= top + MAX_GAP else _renumbered(found, top + 1)
        if new.id != found.id:
            said.append(f"a second or late Q{found.id} is now Q{new.id}")
        top = new.id
        if new.answer is not None:
            said.append(f"Q{new.id} was answered while no human was asked: kept as unconfirmed")
        blocks.append(sealed(new))
    return _joined(after.preamble, [*back.values(), *blocks]), tuple(said)


def meaning(raw: str) -> str | None:
    """An answer's text, or None when it says nothing: empty, punctuation, a comment or a
    placeholder."""
    text = _without_comments(raw).replace("\r\n", "\n").strip()
    if _words(text) in PLACEHOLDERS or not any(_says_something(c) for c in text):
        return None
    return text


def approves(answer: str) -> bool:
    """True only when all of the answer, case and punctuation aside, is a yes (protocol.md, Plan
    approval). A question is none: "approve?" asks."""
    return "?" not in answer and _words(answer) in APPROVALS


def unfinished(answer: str) -> bool:
    """True when a yes breaks off in the middle of a sentence: an editor may have saved it by
    itself, and "yes," is no yes before one knows what follows."""
    return approves(answer) and answer.rstrip().endswith((",", ";", ":", "-", "\u2013", "\u2014"))


def confirms(answer: str) -> bool:
    """True when the human confirms an unconfirmed text."""
    return _words(answer) == "same"


def problems(document: Document, recorded: Collection[int]) -> tuple[str, ...]:
    """What is wrong with the new questions, one sentence each."""
    said: list[str] = []
    if len(document.questions) > len(recorded) + MAX_NEW:
        said.append(f"More than {MAX_NEW} new questions: ask only what decides something.")
    seen: set[int] = set()
    for question in document.questions:
        if question.id in seen:
            said.append(
                f"Q{question.id} stands twice in _qa.md: give the new one the next free number."
            )
        elif question.id not in recorded and question.id < max(recorded, default=0):
            said.append(
                f"Q{question.id} is new, but numbers only grow: use Q{max(recorded) + 1} or higher."
            )
        seen.add(question.id)
    return tuple(said)


def approval(number: int, plan: str, why: str) -> Question:
    """The question that only the loop writes: may this plan be carried out?"""
    text = (
        f"## Q{number}: Approve the plan {plan}?\nWhy: {why}\n"
        "- A) Approve\n- B) Change: say what\nAnswer:\n"
    )
    return parse(text).questions[0]


def appended(document: Document, question: Question) -> Document:
    """The document with one more question at its end."""
    return _joined(document.preamble, [*document.questions, question])


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


def _rewrite(question: Question, answer: str, extra: list[str]) -> Question:
    """The block with `extra` lines above its `Answer:` and `answer` after it; everything else as it
    was."""
    eol = "\r\n" if "\r\n" in question.text else "\n"
    mark = ANSWER.search(masked(question.text))
    above = question.text[: mark.start()] if mark else question.text.rstrip() + eol
    tail = question.text[len(question.text.rstrip()) :] or eol
    lines = "".join(line + eol for line in extra)
    text = above + lines + (mark[0] if mark else "Answer:") + answer.replace("\n", eol) + tail
    return parse(text).questions[0]


def _restored(now: Question | None, old: Question, said: list[str]) -> Question:
    """A recorded question as it must stand, given what a child left in its place."""
    if now is not None and now.text.strip() == old.text.strip():
        return now
    said.append(f"Q{old.id} was {'gone' if now is None else 'changed'} and is put back")
    other = now.answer if now else None
    if now and not labelled(now):  # somebody wrote over the label
        new = [s for s in now.text.splitlines() if s.strip() and s not in old.text.splitlines()]
        other = "\n".join(new) or None
    return old if other is None or other == old.answer else _noting(old, other)


def sealed(question: Question) -> Question:
    """A new question, open: what a child put after `Answer:` stands above it, unconfirmed."""
    told = question.answer.splitlines() if question.answer else []
    if not told and labelled(question):
        return question
    return _rewrite(question, "", [f"Unconfirmed: {line}".rstrip() for line in told])


def _renumbered(question: Question, number: int) -> Question:
    text = re.sub(r"Q\d+", f"Q{number}", question.text, count=1)
    return replace(question, id=number, text=text)


def _noting(old: Question, other: str) -> Question:
    """A recorded question with its recorded answer, and the text that stood in its place as
    unconfirmed lines."""
    mark = ANSWER.search(masked(old.text))
    at = mark.start() if mark else len(old.text)
    told = old.text[mark.end() :] if mark else ""
    label = "Not taken" if confirms(told) else "Unconfirmed"  # `same` confirmed other words
    lines = "".join(f"{label}: {line}\n" for line in other.splitlines())
    return parse(old.text[:at] + lines + old.text[at:]).questions[0]


def _joined(preamble: str, blocks: Iterable[Question]) -> Document:
    """Blocks one below the other, each heading at the beginning of a line, a blank line between."""
    if preamble and not preamble.endswith("\n"):
        preamble += "\n"
    if mark := left_open(preamble):
        preamble += f"{mark}\n"
    return Document(preamble, tuple(map(_ending_in_a_blank_line, blocks)))


def _ending_in_a_blank_line(block: Question) -> Question:
    if block.text.endswith(("\n\n", "\n\r\n")):
        return block
    return replace(block, text=block.text + ("\n" if block.text.endswith("\n") else "\n\n"))


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
