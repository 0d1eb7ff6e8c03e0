"""Build the SessionState from the lines of the history.

The fold stores facts and decides nothing: a line already holds what was decided. Any line may have
`next` (the phase from now on), `head` (the worktree's commit), `notes` (sentences for the next
child) and `decision` (a person decided something, so all counters restart).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from samocode.record.state import (
    CHANGE,
    Answer,
    Approval,
    Begun,
    Iteration,
    Question,
    SessionState,
    Spent,
    Worktree,
    WorktreeStatus,
)

Line = Mapping[str, Any]
STRIKES = frozenset({"timeout", "crash", "no_signal", "bad_signal"})


def fold(state: SessionState, line: Line) -> None:
    """Apply one line to `state`. An unknown event only counts as a line. A malformed line raises
    KeyError, TypeError, ValueError or OverflowError and leaves `state` unchanged."""
    step = _STEPS.get(str(line.get("event")))
    if step is None:
        state.lines += 1
        return
    notes, phase = list(line.get("notes", ())), line.get("next")
    if phase is not None and not isinstance(phase, str):
        raise TypeError(f"next is {phase!r}")
    step(state, line)
    if line.get("decision"):
        state.start_counting()
    state.lines += 1
    state.notes += notes
    state.head = line.get("head", state.head)
    if phase and phase != state.phase:
        state.entered[phase] = state.entered.get(phase, 0) + 1
        state.phase = phase


def _session(state: SessionState, line: Line) -> None:
    where = line.get("branch")
    tree = Worktree(Path(line["path"]), where, line["base"], line.get("commit")) if where else None
    state.worktree, state.started, state.version = tree, line.get("t"), line.get("v", 1)
    state.place = line.get("place")


def _task(state: SessionState, line: Line) -> None:
    state.texts.append((line["t"], line["kind"], line["text"]))
    if inbox := line.get("inbox"):
        state.inbox.add(inbox)
    if "round" in line:
        state.round, state.phase, state.done = line["round"], "investigation", None
        state.approved, state.approval_id, state.plan_to_ask = None, None, None
        state.head = None  # the branch may be merged and deleted by now


def _start(state: SessionState, line: Line) -> None:
    if line.get("decision"):
        state.restarted = datetime.fromisoformat(line["t"]).timestamp()
    if line.get("made") or state.as_made is None:
        state.as_made = _status(line)
    state.spawned, state.stopped, state.program = 0, None, line.get("version", "")
    state.paused = None


def _setup(state: SessionState, line: Line) -> None:
    state.setting_up, state.set_up = "log" in line, line.get("exit") == 0
    if state.as_made:  # else the `start` line brings the whole status
        dirty = {**state.as_made.dirty, **line.get("dirty", {})}
        state.as_made = state.as_made._replace(dirty=dirty)


def _begin(state: SessionState, line: Line) -> None:
    n, budget, limit = int(line["n"]), line.get("budget_usd"), float(line.get("timeout", 0))
    model = line.get("model", "")
    state.pending = Begun(n, line["phase"], line["log"], _status(line), budget, limit, model)
    state.began, state.paused = str(line.get("t", "")), None


def _iteration(state: SessionState, line: Line) -> None:
    now = Iteration(int(line["n"]), line["phase"], line["outcome"], line.get("note", ""))
    cost, held = _usd(line, "cost_usd"), _usd(line, "held_usd")
    delay, seconds = float(line.get("delay", 0)), float(line.get("seconds", 0))
    asked = [_question(q) for q in line.get("asked", ())]
    state.iteration, state.last, state.pending = now.n, now, None
    state.spawned += 1
    state.cost_usd += cost or 0.0
    state.held_usd += held or 0.0
    state.unpriced += cost is None and held is None
    state.highest_usd = max(state.highest_usd, cost or 0.0)
    runs, usd, worked = state.spent.get(now.phase, Spent())
    state.spent[now.phase] = Spent(
        runs + bool(line.get("heard")), usd + (cost or held or 0.0), worked + seconds
    )
    _count(state, line, delay)
    if plan := line.get("plan"):
        state.plan_to_ask, state.ask_why = plan, ""
    if state.approved is None:
        state.approval_id = None
    if line.get("heard"):
        state.notes = []
    state.asked.update((question.id, question) for question in asked)
    state.done = line.get("summary")


def _count(state: SessionState, line: Line, delay: float) -> None:
    """Update the counters. A valid signal resets strikes, cut_off and api_waited. Progress resets
    idle. A `decision` line resets all, see `fold`."""
    outcome = line["outcome"]
    if line.get("heard"):
        state.strikes, state.cut_off, state.api_waited = [], 0, 0.0
    if outcome in STRIKES:
        state.strikes.append(outcome)
    state.cut_off += outcome == "budget"
    state.api_waited += delay if outcome == "transient" else 0.0
    state.idle = 0 if line.get("progress", True) else state.idle + (outcome == "continue")
    state.verify_failures += outcome == "verify_failed"
    state.entered = state.entered or {line["phase"]: 1}


def _usd(line: Line, key: str) -> float | None:
    return None if (amount := line.get(key)) is None else float(amount)


def _asked(state: SessionState, line: Line) -> None:
    question = _question(line)
    state.asked[question.id] = question
    if question.kind == "approval":
        for number in [n for n in state.found if state.asked[n].kind == "approval"]:
            del state.found[number]  # the earlier question is replaced
        state.approval_id, state.plan_to_ask, state.ask_why = question.id, None, ""


def _question(line: Line) -> Question:
    return Question(
        id=int(line["id"]),
        kind=line["kind"],
        title=line["title"],
        why=line.get("why", ""),
        options=tuple(line.get("options", ())),
        suggested=line.get("suggested", ""),
        because=line.get("because", ""),
        plan=line.get("plan"),
        copy=line.get("copy", ""),
    )


def _answer(state: SessionState, line: Line) -> None:
    number = _number(state, line)
    answer = Answer(str(line["text"]), tuple(line.get("took", ())), line.get("by", ""))
    state.answers[number] = answer
    state.found.pop(number, None)
    state.refused.pop(number, None)
    if answer.took == CHANGE:
        state.approved = None


def _found(state: SessionState, line: Line) -> None:
    """Reopen a question: text was found after a child ran, or (empty) the answer was removed. The
    answer stays on record until the next one."""
    state.found[_number(state, line)] = str(line["text"])


def _refused(state: SessionState, line: Line) -> None:
    state.refused[_number(state, line)] = str(line["why"])


def _number(state: SessionState, line: Line) -> int:
    if (number := int(line["id"])) not in state.asked:
        raise ValueError(f"Q{number} was never asked")
    return number


def _approved(state: SessionState, line: Line) -> None:
    approved = Approval(line["plan"], line["digest"], line["copy"])
    forecast = _usd(line, "forecast_usd")
    state.approved, state.approval_id = approved, line.get("id", state.approval_id)
    state.forecast = None if forecast is None else (forecast, state.cost_usd + state.held_usd)


def _lapsed(state: SessionState, line: Line) -> None:
    why, plan = line["why"], line.get("plan")
    state.approved, state.approval_id = None, None
    if plan:
        state.plan_to_ask, state.ask_why = plan, why


def _stop(state: SessionState, line: Line) -> None:
    state.stopped = (int(line["exit"]), str(line.get("why", "")))
    state.paused = None


def _limit(state: SessionState, line: Line) -> None:
    state.paused = (str(line.get("why", "")), str(line["until"]))


def _status(line: Line) -> WorktreeStatus | None:
    return WorktreeStatus(line["head"], dict(line.get("dirty", {}))) if line.get("head") else None


_STEPS: Mapping[str, Callable[[SessionState, Line], None]] = {
    "session": _session,
    "task": _task,
    "start": _start,
    "setup": _setup,
    "begin": _begin,
    "iteration": _iteration,
    "asked": _asked,
    "answer": _answer,
    "found": _found,
    "refused": _refused,
    "approved": _approved,
    "lapsed": _lapsed,
    "stop": _stop,
    "limit": _limit,
}
