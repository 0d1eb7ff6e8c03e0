"""Which lines of a page belong to which of its print's questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from samocode.pages.questions import Page
from samocode.pages.tokens import words

LABEL = re.compile(r"[*_]{0,3}\bAnswer\b[*_]{0,3}[ \t]*:[*_]{0,3}", re.I)
HEAD = re.compile(r"^[ \t]*#")
NUMBER = re.compile(r"^[ \t]*#+[ \t]*[*_\"']*Q(\d{1,9})\b", re.I)
Key = tuple[str, ...]


def split(lines: Sequence[str], page: Page) -> tuple[list[str], dict[int, list[str]]]:
    """(lines above the first question, the parts of each question, headings included)."""
    starts = _starts(lines, page)
    cuts = [*sorted(starts), len(lines)]
    parts: dict[int, list[str]] = {}
    for at, end in pairwise(cuts):
        parts.setdefault(starts[at], []).append("\n".join(lines[at:end]))
    return list(lines[: cuts[0]]), parts


def _starts(lines: Sequence[str], page: Page) -> dict[int, int]:
    """Line -> the question that begins there: at its printed heading; or else at a heading with its
    number, at its heading's words, or at any line that only it has, if an `Answer:` follows."""
    keys: list[Key] = [tuple(words(line)) for line in lines]
    headings = {tuple(words(block.heading)): block.question.id for block in page.blocks}
    found = {
        at: headings[keys[at]]
        for at, line in enumerate(lines)
        if HEAD.match(line) and keys[at] in headings
    }
    found = _without_quotations(lines, found)
    missing = {block.question.id for block in page.blocks} - set(found.values())
    if not missing:
        return found
    own = {key: n for key, n in _own_lines(page).items() if n in missing}
    own |= {key: n for key, n in headings.items() if n in missing}
    label = False  # between a line and the next heading, from below
    follows = [False] * len(lines)
    for at in range(len(lines) - 1, -1, -1):
        label = bool(LABEL.search(lines[at])) or (label and at + 1 not in found)
        follows[at] = label
    for at, line in enumerate(lines):
        number = None if line.lstrip().startswith(">") else own.get(keys[at])
        if head := NUMBER.match(line):
            number = int(head[1])
        if number in missing and at not in found and follows[at]:
            found[at] = number
            missing.discard(number)
    return found


def _own_lines(page: Page) -> dict[Key, int]:
    """Printed lines of two words or more that only one question has."""
    owners: dict[Key, set[int]] = {}
    for block in page.blocks:
        for line in block.above.split("\n"):
            owners.setdefault(tuple(words(line)), set()).add(block.question.id)
    return {key: min(ids) for key, ids in owners.items() if len(ids) == 1 and len(key) > 1}


def _without_quotations(lines: Sequence[str], found: dict[int, int]) -> dict[int, int]:
    """Of several headings of one question those with an `Answer:` count, each as a part of it. One
    without, in the part of another question, is a quotation in somebody's answer."""
    cuts = [*sorted(found), len(lines)]
    labelled = {
        at for at, end in pairwise(cuts) if any(LABEL.search(line) for line in lines[at:end])
    }
    with_label = {found[at] for at in labelled}
    kept: dict[int, int] = {}
    last = None
    for at in sorted(found):
        if at in labelled or found[at] not in with_label or last in (None, found[at]):
            kept[at] = last = found[at]
    return kept
