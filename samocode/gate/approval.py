"""Plan approval. It lapses when the plan's text changes or the session goes back to planning or
an earlier phase."""

from __future__ import annotations

import re
from itertools import islice

from samocode.decide.forecast import forecast
from samocode.decide.signal import NEEDS_APPROVAL
from samocode.pages.names import LOGS
from samocode.record import files
from samocode.session import Session

TICK = re.compile(r"^([ \t]*(?:[-*+]|\d+[.)])[ \t]+\[)[xX ](\])", re.M)
NOTES = re.compile(r"^## Notes\b.*?(?=^## |\Z)", re.M | re.S)
MAX_DIFF_LINES = 12


def settle(session: Session) -> list[str]:
    """Record an approval, or the end of one. Return the messages for the user."""
    state = session.state
    if state.approves_now:
        return _approve(session)
    if state.approved is None:
        return []
    if state.phase not in NEEDS_APPROVAL:
        why = f"the session went back to phase {state.phase}"
    elif changed := _changed(session, state.approved.plan, state.approved.copy):
        _lapse(session, changed, state.approved.plan)
        return [f"The approval lapsed: {changed}"]
    else:
        return []
    _lapse(session, why, None)
    return [f"The approval lapsed: {why}."]


def ask(session: Session) -> None:
    """Ask for the approval that is due, and save a copy of the plan."""
    state = session.state
    plan = state.plan_to_ask
    if plan is None:
        return
    number = max(state.asked, default=0) + 1
    text = plan_text(session, plan) or ""
    why = state.ask_why or f"nothing is built before you say yes; read {session.folder / plan}"
    if costs := forecast(state, text):
        why += ("\n" if "\n" in why else ". ") + f"Forecast: {costs}"
    copy = f"{state.iteration:03d}-asked-plan.md"
    files.write(session.logs / copy, text)
    session.history.append(
        "asked", id=number, kind="approval", title=f"Approve the plan {plan}?", why=why,
        options=["Approve", "Change: say what"], plan=plan, copy=copy,
    )  # fmt: skip


def essence(plan: str) -> str:
    """Return the plan with all boxes unticked and without Notes: these may change."""
    text = NOTES.sub("", TICK.sub(r"\1 \2", plan.replace("\r\n", "\n")))
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def plan_text(session: Session, plan: str) -> str | None:
    """Return a plan's text, or None if it is not a regular file."""
    try:
        return files.read_text(session.folder / plan)
    except files.Unreadable:
        return None


def _approve(session: Session) -> list[str]:
    """Approve the plan as it is now. The messages show changes since it was asked about."""
    state = session.state
    question = state.asked[state.approval_id or 0]
    plan = question.plan or ""
    text = plan_text(session, plan)
    if text is None:
        _lapse(session, f"the plan {plan} is gone", None)
        return [f"The plan {plan} is gone: it cannot be approved."]
    asked = plan_text(session, f"{LOGS}/{question.copy}") if question.copy else None
    changed = _difference(text if asked is None else asked, text)
    said = [f"The plan {plan} changed since you were asked about it:\n{changed}"] if changed else []
    copy = f"{state.iteration:03d}-approved-plan.md"
    files.write(session.logs / copy, text)
    costs = forecast(state, text)
    session.history.append(
        "approved", id=state.approval_id, plan=plan, digest=_digest(text), copy=copy,
        forecast_usd=round(costs.usd, 4) if costs else None,
        next="implementation", notes=[f"The human approved the plan {plan}."],
    )  # fmt: skip
    return [*said, f"Plan {plan} approved; implementation may begin."]


def _lapse(session: Session, why: str, plan: str | None) -> None:
    session.history.append(
        "lapsed", why=why, plan=plan, notes=[f"The approval of the plan lapsed: {why}"]
    )


def _changed(session: Session, plan: str, copy: str) -> str | None:
    """Describe how the plan differs from the approved one. None if it does not."""
    now = plan_text(session, plan)
    if now is None:
        return f"the plan {plan} is gone; the approved text is {LOGS}/{copy}"
    if session.state.approved and _digest(now) == session.state.approved.digest:
        return None
    changed = _difference(plan_text(session, f"{LOGS}/{copy}") or "", now)
    return f"the plan {plan} is no longer what you approved:\n{changed}"


def _digest(plan: str) -> str:
    import hashlib  # slow to import, and rarely needed

    return hashlib.sha256(essence(plan).encode("utf-8", "surrogateescape")).hexdigest()


def _difference(old: str, new: str) -> str:
    """Return up to MAX_DIFF_LINES changed lines. Empty if only ticks and notes differ."""
    from difflib import unified_diff

    before, after = essence(old).splitlines(), essence(new).splitlines()
    diff = islice(unified_diff(before, after, lineterm="", n=0), 2, None)  # its first lines: names
    lines = [line for line in diff if not line.startswith("@@")]
    more = f"\n({len(lines) - MAX_DIFF_LINES} more lines)" if len(lines) > MAX_DIFF_LINES else ""
    return "\n".join(lines[:MAX_DIFF_LINES]) + more
