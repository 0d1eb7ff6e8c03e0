"""Find what a person added to `_qa.md`, compared with the text that the loop printed. Nothing is
dropped. Text that belongs to no question is returned as `stray`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from samocode.pages.questions import Block, Page, options
from samocode.pages.tokens import meant, more, same, tokens, words

LABEL = re.compile(r"[*_]{0,3}\bAnswer\b[*_]{0,3}[ \t]*:[*_]{0,3}", re.I)
MARK = re.compile(r"\[[xX✓✔]\]|(?<![^\W_])[xX](?![^\W_])|\*\*|__|<[-=]+|[-=]+>|<<+|[✓✔☑✅👈←→⬅]")
BEFORE, AFTER = r"^(?:[^\w\n]|_|[xX](?![^\W_]))*", r"(?:[^\w\n]|_|(?<![^\W_])[xX](?![^\W_]))*$"


class Added(NamedTuple):
    """What was added to one question."""

    text: str
    marked: tuple[str, ...] = ()
    """Letters of the marked options. Empty if there is other text too: `text` then has both."""


class Reading(NamedTuple):
    """Everything on a page that was not printed."""

    added: Mapping[int, Added]
    removed: Mapping[int, str]
    """Questions whose printed answer was removed, with that answer."""
    gone: tuple[int, ...]
    """Questions whose heading is missing or occurs more than once."""
    stray: str
    """Text that belongs to no question, or may belong to several."""


def read(text: str, page: Page) -> Reading:
    """Compare the text of a page with what was printed."""
    stray, parts = _split(text, page)
    gone = [block for block in page.blocks if block.question.id not in parts]
    lost = {tuple(tokens(line)) for block in gone for line in block.above.split("\n")}
    added, removed = dict[int, Added](), dict[int, str]()
    for block in page.blocks:
        number = block.question.id
        found = _said(parts[number], block) if number in parts else Added("")
        if found is None:
            removed[number] = block.answer
        elif gone and _is_of(lost, found.text):
            stray.append(found.text)
        elif found.text:
            added[number] = found
    said = "\n".join(text for text in stray if words(meant(text)))
    return Reading(added, removed, tuple(block.question.id for block in gone), said)


def _split(text: str, page: Page) -> tuple[list[str], dict[int, str]]:
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


def _is_of(lost: set[tuple[str, ...]], text: str) -> bool:
    """Whether the text comes from the block of a question that has lost its heading."""
    keys = [tuple(tokens(line)) for line in text.split("\n")]
    return bool(LABEL.search(text)) or any(key in lost for key in keys if len(key) > 1)


def _said(part: str, block: Block) -> Added | None:
    """Return what was added to one question, or None if the printed answer was removed."""
    printed, answer = block.heading + "\n" + block.above, block.answer
    above, below = _at_label(part, printed)
    letters, above = _marked(above, block)
    new = more(above, printed, by_word=True)
    if below is None:  # without a label, all new text counts
        new, below = "", LABEL.sub("", new, count=1)
    shown = same(below, answer) if answer else not meant(below).strip()
    extra = [new] if words(meant(new)) else []
    extra += [below.strip()] if meant(below).strip() and not shown else []
    if not (extra or letters):
        return Added("") if shown or not answer else None
    kept = [answer] if shown and answer else []
    lines = [line for letter, line in options(block.question) if letter in letters]
    text = "\n".join(dict.fromkeys([*lines, *kept, *extra]))
    return Added(text, () if kept or extra else tuple(letters))


def _at_label(text: str, printed: str) -> tuple[str, str | None]:
    """Split at the `Answer:` label: the text above and the text below, None without a label. Labels
    within the printed text are skipped."""
    labels = list(LABEL.finditer(text))[len(LABEL.findall(printed)) :]
    return (text[: labels[0].start()], text[labels[0].end() :]) if labels else (text, None)


def _marked(text: str, block: Block) -> tuple[list[str], str]:
    """Return the letters of the marked options, and the text with these marks removed."""
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
    """Return the printed option if the match has an additional mark, else the match unchanged."""
    text = found[0]
    marked = len(MARK.findall(text)) > len(MARK.findall(line))
    struck = text.count("~~") > line.count("~~")
    return line if marked and not struck and not text.lstrip().startswith(">") else text
