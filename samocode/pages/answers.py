"""What a person added to `_qa.md`, measured against the print that the page names. Nothing that
says something is dropped; what belongs to no question is `stray`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from samocode.pages.parts import LABEL, split
from samocode.pages.questions import Block, Page, options
from samocode.pages.tokens import meant, more, same, tokens, words

MARK = re.compile(r"\[[xX✓✔]\]|(?<![^\W_])[xX](?![^\W_])|\*\*|__|<[-=]+|[-=]+>|<<+|[✓✔☑✅👈←→⬅]")
BEFORE, AFTER = r"^(?:[^\w\n]|_|[xX](?![^\W_]))*", r"(?:[^\w\n]|_|(?<![^\W_])[xX](?![^\W_]))*$"


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
    """Questions whose heading the page does not hold once."""
    stray: str
    """Words that belong to no question, or nobody knows to which."""


def read(text: str, page: Page) -> Reading:
    """Compare a page with the print it was made from."""
    stray, parts = split(text, page)
    gone = [block for block in page.blocks if block.question.id not in parts]
    lost = {tuple(tokens(line)) for block in gone for line in block.above.split("\n")}
    added, struck = dict[int, Added](), dict[int, str]()
    for block in page.blocks:
        number = block.question.id
        found = _said(parts[number], block) if number in parts else Added("")
        if found is None:
            struck[number] = block.answer
        elif gone and _is_of(lost, found.text):
            stray.append(found.text)
        elif found.text:
            added[number] = found
    said = "\n".join(text for text in stray if words(meant(text)))
    return Reading(added, struck, tuple(block.question.id for block in gone), said)


def _is_of(lost: set[tuple[str, ...]], text: str) -> bool:
    """Whether words come from the block of a question that lost its heading."""
    keys = [tuple(tokens(line)) for line in text.split("\n")]
    return bool(LABEL.search(text)) or any(key in lost for key in keys if len(key) > 1)


def _said(part: str, block: Block) -> Added | None:
    """What was added to one question; None when the answer that was shown is gone."""
    printed, answer = block.heading + "\n" + block.above, block.answer
    above, below = _at_label(part, printed)
    letters, above = _marked(above, block)
    new = more(above, printed, by_word=True)
    if below is None:  # without its label it is what is not printed
        new, below = "", LABEL.sub("", new, count=1)
    shown = same(below, answer)
    extra = [text for text in (new, "" if shown else below.strip()) if words(meant(text))]
    if not (extra or letters):
        return Added("") if shown or not answer else None
    kept = [answer] if shown and answer else []
    lines = [line for letter, line in options(block.question) if letter in letters]
    text = "\n".join(dict.fromkeys([*lines, *kept, *extra]))
    return Added(text, () if kept or extra else tuple(letters))


def _at_label(text: str, printed: str) -> tuple[str, str | None]:
    """(what is above the label, what follows it); None without one. The labels that the printed
    text has of its own are passed over."""
    labels = list(LABEL.finditer(text))[len(LABEL.findall(printed)) :]
    return (text[: labels[0].start()], text[labels[0].end() :]) if labels else (text, None)


def _marked(text: str, block: Block) -> tuple[list[str], str]:
    """(letters of the options that got a mark, the text with these as they were printed)."""
    letters = list[str]()
    for letter, line in options(block.question):
        wanted = r"[\W_]*".join(re.findall(r"[^\W_]+", line))
        pattern = re.compile(BEFORE + wanted + AFTER, re.M)
        unmarked = pattern.sub(partial(_unmarked, line), text)
        if unmarked != text:
            letters.append(letter)
        text = unmarked
    return letters, text


def _unmarked(line: str, found: re.Match[str]) -> str:
    """An option as it was printed where it has a mark more; else as it is."""
    text = found[0]
    marked = len(MARK.findall(text)) > len(MARK.findall(line))
    struck = text.count("~~") > line.count("~~")
    return line if marked and not struck and not text.lstrip().startswith(">") else text
