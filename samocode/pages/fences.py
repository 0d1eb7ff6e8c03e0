"""Where `_qa.md` is form, and where it is somebody's fenced code."""

from __future__ import annotations

import re

QUESTION = re.compile(r"^#{2,4} \**Q(\d{1,18})\b[*:.) \t]*(.*)$", re.M)
ANSWER = re.compile(r"^ {0,3}\**Answer\**[ \t]*:\**", re.M | re.I)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def masked(text: str) -> str:
    """The text with fenced code blanked, offsets kept.

    People forget to close fences, and a form that vanished in one would keep the gate shut. So a
    fence that does not close is none, nor is one that would hide the `Answer:` of its question or,
    opened in an answer, the next question.
    """
    lines = text.splitlines(keepends=True)
    ahead = _answers_ahead(lines)
    unclosed: dict[str, int] = {}  # per mark: from this length up nothing closes in this zone
    at, zone = 0, ""
    while at < len(lines):
        if QUESTION.match(lines[at]) or (zone == "question" and ANSWER.match(lines[at])):
            zone, unclosed = "question" if QUESTION.match(lines[at]) else "answer", {}
        opening = FENCE.match(lines[at])
        if opening and len(opening[1]) < unclosed.get(opening[1][0], 1 << 30):
            end = _closing(lines, at, opening[1], zone == "answer")
            if end is None or (zone == "question" and not ahead[end + 1]):
                unclosed[opening[1][0]] = len(opening[1])  # so it is with the rest of this zone
            else:
                blank = [re.sub(r"[^\r\n]", " ", line) for line in lines[at : end + 1]]
                lines[at : end + 1] = blank
                at = end
        at += 1
    return "".join(lines)


def left_open(preamble: str) -> str | None:
    """The mark of a fence that the preamble opens and leaves open."""
    mark = None
    for fence in filter(None, map(FENCE.match, preamble.splitlines())):
        if mark is None:
            mark = fence[1]
        elif fence[1].startswith(mark) and not fence[2].strip():
            mark = None
    return mark


def _answers_ahead(lines: list[str]) -> list[bool]:
    """For each line (and the end): whether an `Answer:` comes before the next question."""
    ahead = [False]
    for line in reversed(lines):
        ahead.append(bool(ANSWER.match(line)) or (not QUESTION.match(line) and ahead[-1]))
    return ahead[::-1]


def _closing(lines: list[str], at: int, mark: str, in_answer: bool) -> int | None:
    for number in range(at + 1, len(lines)):
        if in_answer and QUESTION.match(lines[number]):
            return None
        in_answer = in_answer or bool(ANSWER.match(lines[number]))
        fence = FENCE.match(lines[number])
        if fence and fence[1].startswith(mark) and not fence[2].strip():
            return number
    return None
