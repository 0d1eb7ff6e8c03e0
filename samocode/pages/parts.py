"""Which lines of a page belong to which of its print's questions."""

from __future__ import annotations

import re

from samocode.pages.questions import Page
from samocode.pages.tokens import tokens

LABEL = re.compile(r"[*_]{0,3}\bAnswer\b[*_]{0,3}[ \t]*:[*_]{0,3}", re.I)


def split(text: str, page: Page) -> tuple[str, dict[int, list[str]]]:
    """(what is above the first question, the parts of each question, headings included). A question
    that was copied has several parts, one whose heading is gone has none."""
    headings = {tuple(tokens(block.heading)): block.question.id for block in page.blocks}
    found: list[tuple[int, list[str]]] = [(0, [])]
    for line in text.split("\n"):
        if line.lstrip().startswith("#") and (number := headings.get(tuple(tokens(line)))):
            found.append((number, []))
        found[-1][1].append(line)
    labelled = [any(map(LABEL.search, lines)) for _, lines in found]
    with_label = {number for (number, _), label in zip(found, labelled, strict=True) if label}
    parts: list[tuple[int, list[str]]] = []
    for (number, lines), label in zip(found, labelled, strict=True):
        if parts and not label and number in with_label:  # quoted in an answer to another question
            parts[-1][1].extend(lines)
        else:
            parts.append((number, lines))
    questions: dict[int, list[str]] = {}
    for number, lines in parts:
        questions.setdefault(number, []).append("\n".join(lines).strip())
    return questions.pop(0)[0], questions
