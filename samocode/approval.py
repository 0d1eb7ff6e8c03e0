"""Plan approval: asked by the loop alone, kept as a copy, and gone when the plan's text or the
phase goes back."""

from __future__ import annotations

import difflib
import hashlib
import re

from samocode import files, questions, signals
from samocode.session import LOGS, Session

TICK = re.compile(r"^([ \t]*[-*] \[)[xX ](\])", re.M)
NOTES = re.compile(r"^## Notes\b.*?(?=^## |\Z)", re.M | re.S)
MAX_DIFF_LINES = 12


def settle(session: Session) -> list[str]:
    """Bring the approval up to date with the answers, the phase and the plan's text; what there is
    to say of it."""
    past = session.history.past
    if past.approves_now:
        return [_approve(session)]
    if past.approved is None:
        return []
    if past.phase not in signals.NEEDS_APPROVAL:
        why = f"the session went back to phase {past.phase}"
    elif changed := _changed(session, past.approved.plan, past.approved.copy):
        _lapse(session, changed, past.approved.plan)
        return [f"The approval lapsed: {changed}"]
    else:
        return []
    _lapse(session, why, None)
    return [f"The approval lapsed: {why}."]


def ask(session: Session) -> None:
    """Write the approval question that is due. On record first: a file that a kill left without it
    gets it again."""
    past = session.history.past
    if past.plan_to_ask is None:
        return
    document = session.read_questions()
    number = max([*past.asked, *(q.id for q in document.questions)], default=0) + 1
    why = (
        past.ask_why.replace("\n", "\n> ")
        or f"nothing is built before you say yes; read {session.folder / past.plan_to_ask}"
    )
    question = questions.approval(number, past.plan_to_ask, why)
    session.history.append(
        "asked", id=number, kind="approval", text=question.text, plan=past.plan_to_ask
    )
    session.change_questions(lambda now: questions.appended(now, question))


def essence(plan: str) -> str:
    """The plan's text without what may change after approval: ticks and the Notes section."""
    text = NOTES.sub("", TICK.sub(r"\1 \2", plan.replace("\r\n", "\n")))
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def plan_text(session: Session, plan: str) -> str | None:
    """A plan's text, None when there is no such plain file any more."""
    try:
        return files.read_text(session.folder / plan)
    except files.Unreadable:
        return None


def _approve(session: Session) -> str:
    past = session.history.past
    plan = past.asked[past.approval_id or 0].plan or ""
    text = plan_text(session, plan)
    if text is None:
        _lapse(session, f"the plan {plan} is gone", None)
        return f"The plan {plan} is gone: it cannot be approved."
    copy = f"{past.iteration:03d}-approved-plan.md"
    files.write(session.logs / copy, text)
    digest = hashlib.sha256(essence(text).encode("utf-8", "surrogateescape")).hexdigest()
    session.history.append("approved", id=past.approval_id, plan=plan, digest=digest, copy=copy)
    return f"Plan {plan} approved; implementation may begin."


def _lapse(session: Session, why: str, plan: str | None) -> None:
    code = session.code()
    session.history.append(
        "lapsed",
        why=why,
        plan=plan,
        head=code.head if code else None,
        dirty=dict(code.dirty) if code else None,
    )


def _changed(session: Session, plan: str, copy: str) -> str | None:
    """How the plan's text differs from what was approved, in a few lines; None when it does not."""
    past = session.history.past
    now = plan_text(session, plan)
    if now is None:
        return f"the plan {plan} is gone; the approved text is {LOGS}/{copy}"
    digest = hashlib.sha256(essence(now).encode("utf-8", "surrogateescape")).hexdigest()
    if past.approved and digest == past.approved.digest:
        return None
    old = plan_text(session, f"{LOGS}/{copy}") or ""
    diff = difflib.unified_diff(
        essence(old).splitlines(), essence(now).splitlines(), lineterm="", n=0
    )
    lines = [line for line in diff if not line.startswith(("---", "+++", "@@"))]
    more = f"\n({len(lines) - MAX_DIFF_LINES} more lines)" if len(lines) > MAX_DIFF_LINES else ""
    return (
        f"the plan {plan} is no longer what you approved:\n"
        + "\n".join(lines[:MAX_DIFF_LINES])
        + more
    )
