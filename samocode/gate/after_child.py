"""Right after a child ran: restore what is the human's in `_qa.md`, record what was asked."""

from __future__ import annotations

import re
from collections.abc import Callable

from samocode.decide.facts import IterationFacts
from samocode.pages import questions
from samocode.pages.compare import Snapshot
from samocode.pages.protect import protect
from samocode.pages.qa_file import recorded
from samocode.pages.questions import Document, Question
from samocode.pages.settled import Settled
from samocode.session import Session

MAX_SETTLE = 10.0  # seconds that the loop waits for a human's editor to finish a save


def protect_questions(
    session: Session, before: Snapshot | None, settle: float, say: Callable[[str], None]
) -> Document:
    """`_qa.md` as a child may leave it. The iteration uses only this read; the gate handles later
    saves."""
    Settled(session.qa.path, settle).wait(MAX_SETTLE)
    state = session.state
    session.qa.clear()
    now = session.qa.read()
    old = questions.parse(before.questions) if before else now
    kept = {n: recorded(state, old, n) for n in state.asked}
    if not now.questions and not kept:
        return now
    said = protect(now, kept)[1]
    for number in [n for n in kept if _reopens(session, n, now.find(n), killed=before is None)]:
        session.history.append("reopened", id=number)
        kept[number] = questions.answered(kept[number], "")
        said += (f"Q{number} is open again: another answer stood there; `same` confirms it",)
    for line in said:
        say(f"   _qa.md: {line}")
    return session.qa.change(lambda doc: protect(doc, kept)[0])


def record_questions(session: Session, document: Document, facts: IterationFacts) -> None:
    """Record the questions that are new in the document. What the signal waits for tells their
    kind; without a signal the phase does."""
    signal = facts.check.signal
    action = signal.waits_for == "human_action" if signal else facts.phase == "implementation"
    for question in document.questions:
        if question.id not in session.state.asked:
            kind = "action" if action else "qa"
            session.history.append("asked", id=question.id, kind=kind, text=question.text)


def _reopens(session: Session, number: int, found: Question | None, killed: bool) -> bool:
    """Whether a recorded answer must be asked for again: a human may have changed it while a child
    ran. The approval is always worth asking; another one when the loop had been killed, since then
    a person had all the time to write."""
    state = session.state
    old = state.answers.get(number)
    if old is None or found is None or found.answer == old:
        return False
    approval = number == state.approval_id and state.approved is not None
    if found.answer is None:
        return approval or (killed and state.in_file(number))
    if approval:  # from a heading on it is a child's note or next question
        return not questions.approves(re.split(r"\n#{1,6} ", found.answer)[0])
    return killed
