"""`_qa.md` after a child ran: recorded questions and answers come back, new ones are open."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from samocode.pages.fences import ANSWER, masked
from samocode.pages.questions import (
    Document,
    Question,
    confirms,
    joined_blocks,
    labelled,
    parse,
    rewrite,
)

MAX_NEW = 50  # questions that one iteration may ask; a person has to answer them
MAX_GAP = 1000  # a number further above the last is no count of questions


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
    return joined_blocks(after.preamble, [*back.values(), *blocks]), tuple(said)


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
    return rewrite(question, "", [f"Unconfirmed: {line}".rstrip() for line in told])


def _renumbered(question: Question, number: int) -> Question:
    text = re.sub(r"Q\d+", f"Q{number}", question.text, count=1)
    return question._replace(id=number, text=text)


def _noting(old: Question, other: str) -> Question:
    """A recorded question with its recorded answer, and the text that stood in its place as
    unconfirmed lines."""
    mark = ANSWER.search(masked(old.text))
    at = mark.start() if mark else len(old.text)
    told = old.text[mark.end() :] if mark else ""
    label = "Not taken" if confirms(told) else "Unconfirmed"  # `same` confirmed other words
    lines = "".join(f"{label}: {line}\n" for line in other.splitlines())
    return parse(old.text[:at] + lines + old.text[at:]).questions[0]
