"""How a question looks on the phone: its text, its buttons, and what a button stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from samocode.gate.answers import suggestion
from samocode.pages.answers import Added
from samocode.pages.questions import options
from samocode.record.state import APPROVE, CHANGE, Question, SessionState
from samocode.telegram.text import LABEL, short
from samocode.telegram.updates import Button

MARK = "★"  # before the suggested option
TAKE, SAME, ACT = "take", "same", "done"
"""Choices that are not options: take the suggestion, take the found text, the action is done."""
MOST_OLD = 300  # characters of a text found earlier


class Card(NamedTuple):
    """A question as a message. For a plan, `document` is the file and `text` its caption."""

    text: str
    buttons: tuple[tuple[str, str], ...]
    """Label and choice."""
    digest: str
    """Of all that is shown, the plan's text included."""
    document: tuple[str, bytes] | None = None


def card(state: SessionState, question: Question, name: str, plan: bytes | None) -> Card:
    """A question for the phone. `name` is the session's, `plan` the text of the plan to approve."""
    blocks = [f"{name} · Q{question.id}: {question.title}"]
    blocks += [question.why] if question.why and question.kind != "approval" else []
    buttons: list[tuple[str, str]] = []
    if question.kind == "approval":
        blocks.append("Nothing is built before you approve it.")
        blocks += [] if plan else ["The plan is empty or gone."]
        buttons = [("Approve", "A"), ("Change", "B")]
    elif question.options:
        lines = options(question)
        blocks.append("\n".join(line for _, line in lines))
        buttons = [(_label(line, letter == question.suggested.upper()), letter)
                   for letter, line in lines]  # fmt: skip
    elif question.suggested:
        buttons = [(_label(question.suggested, True), TAKE)]
    if question.suggested:
        because = f", {question.because}" if question.because else ""
        blocks.append(f"Suggested: {question.suggested}{because}")
    if question.kind == "action":
        buttons = [("Done", ACT)]
    if found := state.found.get(question.id):
        blocks.append(f"Found on the page, not taken yet:\n{short(found, MOST_OLD)}")
        buttons.append(("Take what was found", SAME))
    shown = (*blocks, *(label for label, _ in buttons), found or "")
    digest = hashlib.sha256("\0".join(shown).encode("utf-8", "surrogateescape") + (plan or b""))
    document = ((question.plan or "plan.md").replace(":", ""), plan) if plan else None
    return Card("\n\n".join(blocks), tuple(buttons), digest.hexdigest()[:12], document)


def _label(text: str, suggested: bool) -> str:
    return short(f"{MARK} {text}" if suggested else text, LABEL)


def keyboard(card: Card, key: str, number: int) -> Mapping[str, Any]:
    """The buttons of a question, one in a row."""
    rows = [
        [{"text": label, "callback_data": Button(key, number, card.digest, choice).data}]
        for label, choice in card.buttons
    ]
    return {"inline_keyboard": rows}


def chosen(question: Question, choice: str) -> Added | None:
    """The answer that a button stands for, None if there is no such option."""
    lines = dict(options(question))
    if choice in lines:
        return Added(lines[choice], (choice,))
    if choice == TAKE:
        return suggestion(question)
    return Added(choice) if choice in (SAME, ACT) else None


def understood(state: SessionState, question: Question) -> str:
    """What was recorded for a question: "Q2: B, Server sessions (by file)"."""
    answer, number = state.answers.get(question.id), question.id
    if answer is None:
        return f"Q{number} is not asked any more."
    where = "" if answer.by == "telegram" else f" (by {answer.by.replace('yes', '--yes')})"
    if answer.took == APPROVE:
        return f"Q{number}: approved{where}"
    if answer.took == CHANGE:
        return f"Q{number}: change: {short(answer.text, 200)}{where}"
    lines = dict(options(question))
    if len(answer.took) == 1 and answer.took[0] in lines:
        return f"Q{number}: {answer.took[0]}, {lines[answer.took[0]][3:]}{where}"
    return f"Q{number}: {short(answer.text, 200)}{where}"
