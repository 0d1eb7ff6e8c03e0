"""Split a page into the parts that belong to its questions."""

from __future__ import annotations

import re

from samocode.pages.questions import Page
from samocode.pages.tokens import tokens

LABEL = re.compile(r"[*_]{0,3}\bAnswer\b[*_]{0,3}[ \t]*:[*_]{0,3}", re.I)


def split(text: str, page: Page) -> tuple[list[str], dict[int, str]]:
    """Return the texts that belong to no single question, and the part of each question. A part
    includes its heading. A question whose parts are ambiguous has none."""
    headings = {tuple(tokens(block.heading)): block.question.id for block in page.blocks}
    found: list[tuple[int, list[str]]] = [(0, [])]
    for line in text.split("\n"):
        if line.lstrip().startswith("#") and (number := headings.get(tuple(tokens(line)))):
            found.append((number, []))
        found[-1][1].append(line)
    labelled = [any(map(LABEL.search, lines)) for _, lines in found]
    with_label = {number for (number, _), label in zip(found, labelled, strict=True) if label}
    parts: dict[int, list[list[str]]] = {}
    last: list[str] = []
    for (number, lines), label in zip(found, labelled, strict=True):
        if number in with_label and not label:  # a heading quoted in an answer to another question
            last.extend(lines)
        else:
            last = lines
            parts.setdefault(number, []).append(lines)
    whole = {n: {"\n".join(lines).strip() for lines in copies} for n, copies in parts.items()}
    stray = [text for n, texts in whole.items() if n == 0 or len(texts) > 1 for text in texts]
    return stray, {n: texts.pop() for n, texts in whole.items() if n and len(texts) == 1}
