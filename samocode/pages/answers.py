"""What a person added to `_qa.md`, measured against the print that the page names. Nothing that
says something is dropped; what belongs to no question is `stray`."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from samocode.pages.parts import LABEL, Key, split
from samocode.pages.questions import FIRST, LETTERS, Block, Page, options
from samocode.pages.tokens import (
    Token,
    comments,
    exact,
    holds,
    outer,
    says_something,
    tokens,
    words,
)
from samocode.record.words import unix_lines

TICKS = frozenset({"x", "✓", "✔", "☑", "✅", "👈", "←", "→", "⬅"})
MARK = re.compile(r"\[[xX✓✔]\]|\*\*|__|<[-=]+|[-=]+>|<<+")
REFERENCE = re.compile(r"^[ \t>]*\[[^\]\n]+\]:[ \t]*\S")
LIST_MARK = re.compile(r"^[ \t]*(?:[-*+][ \t]+)?(?:\[[ xX✓✔]?\][ \t]*)?")
MOST_PARTS, MOST_DIFF = 4, 200_000
"""Copies of one question read one by one; printed words times words of a page compared closely."""


class Added(NamedTuple):
    """What was added to one question: free words, and options that got a mark."""

    text: str
    marked: tuple[str, ...] = ()
    """Letters of the marked options; with any other word the text says it all."""


class Reading(NamedTuple):
    """All that a page says beyond its print."""

    added: Mapping[int, Added]
    struck: Mapping[int, str]
    """Questions whose answer this print showed and the page does not; the answer shown."""
    gone: tuple[int, ...]
    """Questions that the page does not hold any more."""
    stray: str
    """Words above the first question."""


def read(text: str, page: Page) -> Reading:
    """Compare a page with the print it was made from."""
    preamble, parts = split(unix_lines(text.removeprefix("\ufeff")).split("\n"), page)
    printed = "\n".join(block.text for block in page.blocks).split("\n")
    references = frozenset(tuple(words(line)) for line in printed if REFERENCE.match(line))
    added: dict[int, Added] = {}
    struck: dict[int, str] = {}
    for block in page.blocks:
        if block.question.id in parts:
            found = _said(parts[block.question.id], block, references)
            if found is None:
                struck[block.question.id] = block.answer
            elif found.text:
                added[block.question.id] = found
    gone = tuple(b.question.id for b in page.blocks if b.question.id not in parts)
    own = words(FIRST.format(page.number))
    stray = "\n".join(line for line in preamble if words(line) and words(line) != own)
    return Reading(added, struck, gone, stray.strip() if says_something(stray) else "")


def _said(parts: Sequence[str], block: Block, references: frozenset[Key]) -> Added | None:
    """What was added to one question; None when the answer that was shown is gone."""
    extra, letters, shown = list[str](), list[str](), False
    printed = f"{block.heading}\n\n{block.above}"
    parts = list(dict.fromkeys(part.strip() for part in parts))
    if len(parts) > MOST_PARTS:
        parts = [*parts[: MOST_PARTS - 1], "\n".join(parts[MOST_PARTS - 1 :])]
    for part in parts:
        above, below = _at_label(part, block)
        rest = "" if below is not None else block.answer
        new, ticked, whole = _above(above, block, printed, rest)
        if below is None:
            shown = shown or whole
        elif says_something(below):
            if _same(below, block.answer, references):
                shown = shown or bool(block.answer)
            else:
                new.append(outer(below))
        extra += new
        letters += ticked
    if not extra and not letters:
        return Added("") if shown or not block.answer else None
    lines = [
        line
        for letter, line in options(block.question)
        if letter in letters and not any(holds(words(new), words(line)) for new in extra)
    ]
    text = "\n".join([*lines, *([block.answer] if shown else []), *extra])
    return Added(text, () if extra or shown else tuple(dict.fromkeys(letters)))


def _same(text: str, answer: str, references: frozenset[Key]) -> bool:
    """Whether a text is the answer that was printed, layout aside. Formatters collect the page's
    link references (`[name]: address`) at its end, in the part of another question."""
    if exact(outer(text)) == exact(outer(answer)):
        return True
    rest = [
        "\n".join(
            line
            for line in part.split("\n")
            if not REFERENCE.match(line) or tuple(words(line)) not in references
        )
        for part in (text, answer)
    ]
    return bool(references) and exact(outer(rest[0])) == exact(outer(rest[1]))


def _at_label(text: str, block: Block) -> tuple[str, str | None]:
    """(what is above the label, what follows it); None without a label. Labels in the printed text
    are passed over, and one that somebody put above printed text."""
    labels = list(LABEL.finditer(text))[len(LABEL.findall(block.heading + block.above)) :]
    if not labels:
        return text, None
    tail = words(block.above)[-4:]
    for label, following in pairwise(labels):
        if not holds(words(text[label.end() : following.start()]), tail):
            return text[: label.start()], text[label.end() :]
    return text[: labels[-1].start()], text[labels[-1].end() :]


def _above(text: str, block: Block, printed: str, answer: str) -> tuple[list[str], list[str], bool]:
    """(words that are not printed, letters of marked options, whether all of `answer` is there)
    above the label, or in a part that has none."""
    if "&" in printed:  # formatters write the characters that entities stand for
        text, printed = html.unescape(text), html.unescape(printed)
    has, wanted = tokens(text), tokens(printed + answer)
    place = _aligned([t.word for t in wanted], [t.word for t in has])
    kept = set(place.values())
    kept |= _commented(text, has, kept)
    ticks = {n for n, token in enumerate(has) if n not in kept and token.word in TICKS}
    letters, used = _marked(text, has, wanted, place, block, ticks)
    shown = [words(line) for _, line in options(block.question)]
    lines: dict[int, list[Token]] = {}
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    for token in (token for n, token in enumerate(has) if n not in kept and n not in used):
        lines.setdefault(starts[bisect_right(starts, token.start) - 1], []).append(token)
    padded = text + "\n"
    extra = [_run(text[at : padded.find("\n", at)], at, new, shown) for at, new in lines.items()]
    size = len(tokens(answer))
    whole = size > 0 and all(n in place for n in range(len(wanted) - size, len(wanted)))
    return [run for run in extra if run], letters, whole


def _marked(
    text: str, has: list[Token], wanted: list[Token], place: Mapping[int, int], block: Block,
    ticks: set[int],
) -> tuple[list[str], set[int]]:  # fmt: skip
    """(letters of the options with a mark before or after them, the ticks that were such marks).
    A tick at the suggestion marks the suggested option."""
    letters: list[str] = []
    used: set[int] = set()
    spans = _spans(wanted, block)
    for letter, line, first, last in spans:
        if first not in place or last not in place:
            continue
        start, end = has[place[first]].start, has[place[last]].end
        line = html.unescape(line)
        own = tokens(line)[-1].end
        line_start, line_end = text.rfind("\n", 0, start) + 1, (text + "\n").find("\n", end)
        before, after = text[line_start:start], text[end:line_end]
        near = {n for n in ticks if line_start <= has[n].start < line_end}
        after = after.removeprefix(line[own:])
        mark = near or MARK.search(before) or MARK.search(after)
        struck = text.count("~~", line_start, line_end) > line.count("~~")
        quoted = LIST_MARK.sub("", before).startswith(">") or struck
        if mark and not quoted:
            letters.append(letter)
            used |= near
    return letters, used


def _spans(wanted: list[Token], block: Block) -> list[tuple[str, str, int, int]]:
    """(letter, printed line, its first and last word) of each option, and of the suggestion."""
    shown = options(block.question)
    suggested = block.question.suggested.upper()
    if len(suggested) == 1 and suggested in LETTERS[: len(shown)]:
        because = f", {block.question.because}" if block.question.because else ""
        shown.append((suggested, f"Suggested: {block.question.suggested}{because}"))
    found: list[tuple[str, str, int, int]] = []
    at = len(tokens(html.unescape(f"{block.heading}\n\nWhy: {block.question.why}")))
    every = [token.word for token in wanted]
    for letter, text in shown:
        line = words(html.unescape(text))
        while at < len(every) and every[at : at + len(line)] != line:
            at += 1
        if at < len(every):
            found.append((letter, text, at, at + len(line) - 1))
            at += len(line)
    return found


def _run(line: str, start: int, new: Sequence[Token], shown: Sequence[list[str]]) -> str:
    """The new words of a line: all of it where nothing else is in it, or where it is an option;
    else from the first new word to the last, with what is attached to it."""
    option = any(holds(words(line), option) for option in shown)
    if option:
        return LIST_MARK.sub("", line).strip()
    if len(new) == len(tokens(line)):
        return LABEL.sub("", line, count=1).strip()
    first, last = new[0].start - start, new[-1].end - start
    attached = line[last:].split(maxsplit=1)[0] if line[last : last + 1].strip() else ""
    return LABEL.sub("", line[first:last] + attached, count=1).strip()


def _commented(text: str, has: list[Token], kept: set[int]) -> set[int]:
    """The new words in comments that hold nothing printed."""
    found: set[int] = set()
    n = 0
    for start, end in comments(text):
        while n < len(has) and has[n].start < start:
            n += 1
        inside: list[int] = []
        while n < len(has) and has[n].start < end:
            inside.append(n)
            n += 1
        if kept.isdisjoint(inside):
            found.update(inside)
    return found


def _aligned(printed: list[str], has: list[str]) -> dict[int, int]:
    """Place in the print -> place in the page, of the words that both hold in that order."""
    most = min(len(has), len(printed))
    head = next((n for n in range(most) if has[n] != printed[n]), most)
    tail = 0
    while tail < most - head and has[-1 - tail] == printed[-1 - tail]:
        tail += 1
    found = {n: n for n in range(head)}
    found |= {len(printed) - n: len(has) - n for n in range(1, tail + 1)}
    left, right = printed[head : len(printed) - tail], has[head : len(has) - tail]
    if left and right and len(left) * len(right) <= MOST_DIFF:
        match = SequenceMatcher(None, left, right, autojunk=False)
        for a, b, size in match.get_matching_blocks():
            found |= {head + a + n: head + b + n for n in range(size)}
    return found
