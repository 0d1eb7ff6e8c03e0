"""`_history.jsonl`: the append-only record of a session, and everything the loop knows, folded from
it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, final

from samocode import files, questions
from samocode.errors import UserError
from samocode.git import State, Worktree
from samocode.outside import mapping, parse
from samocode.past import Approval, Asked, Iteration, Past

FILE = "_history.jsonl"
MAX_HISTORY_BYTES = 256 << 20
HEARD = frozenset({"continue", "waiting", "blocked", "done", "verify_failed", "stalled", "looping"})
"""Outcomes of a child that read its notes and answered; after any other the next iteration is told
them again."""


def local_now() -> datetime:
    """The wall clock with its zone: for people, and for limits that the API tells as a date."""
    return datetime.now().astimezone()


@final
class History:
    """The file and the facts folded from it. `append` is the only way to add to either."""

    def __init__(self, path: Path, now: Callable[[], datetime] = local_now) -> None:
        self.path = path
        self.past = Past()
        self._now = now

    def load(self, repair: bool = True) -> History:
        """Read it all. A torn last line (a killed write) is kept aside when `repair`, else passed
        over."""
        try:
            data = files.read(self.path, MAX_HISTORY_BYTES) or b""
        except files.Unreadable as error:
            raise UserError(
                f"{self.path.parent}: {error}: put the history back to go on."
            ) from error
        whole, _, last = data.rpartition(b"\n")
        self.past = Past()
        lines = whole.split(b"\n") if whole else []
        for number, line in enumerate(lines, 1):
            self.past = self._folded(line, number)
        if last:
            self._end(whole, last, len(lines) + 1, repair)
        return self

    def _end(self, whole: bytes, last: bytes, number: int, repair: bool) -> None:
        """A line without its newline: whole all the same (an editor saved it so), or torn."""
        try:
            self.past = self._folded(last, number)
        except UserError:
            if repair:
                files.append(self.path.with_name(FILE + ".torn"), last + b"\n")
                files.write_bytes(self.path, whole + b"\n" if whole else b"")
            return
        if repair:
            files.append(self.path, b"\n")

    def append(self, event: str, **values: object) -> None:
        """Add one line, durably, and fold it in; absent values (None) are left out."""
        line: dict[str, object] = {"t": self._now().isoformat(timespec="seconds"), "event": event}
        line |= {key: value for key, value in values.items() if value is not None}
        files.append(self.path, json.dumps(line, ensure_ascii=True).encode() + b"\n")
        self.past = fold(self.past, line)

    def _folded(self, line: bytes, number: int) -> Past:
        found = mapping(parse(line))
        try:
            return fold(self.past, {"event": found["event"], **found})
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.path} line {number} is damaged ({error!r}): mend or remove that line, then "
                "run again."
            ) from error


def fold(past: Past, line: Mapping[str, Any]) -> Past:
    """The facts after one more line; unknown events change nothing. A line of a wrong shape raises
    KeyError, TypeError or ValueError."""
    step = _STEPS.get(str(line.get("event")))
    return step(past, line) if step else past


def _session(past: Past, line: Mapping[str, Any]) -> Past:
    where = line.get("branch")
    tree = Worktree(Path(line["path"]), where, line["base"], line.get("commit")) if where else None
    return replace(past, worktree=tree, started=line.get("t"))


def _task(past: Past, line: Mapping[str, Any]) -> Past:
    past = replace(past, texts=(*past.texts, (line["t"], line["kind"], line["text"])))
    if past.done is None:
        first = past.iteration == 0
        return past if first else _noted(past, "The human added a note: read the end of _task.md.")
    return replace(
        _noted(past, "The human opened a new round: read the end of _task.md."),
        round=past.round + 1,
        phase="investigation",
        entered={},
        done=None,
        verify_failures=0,
        approved=None,
        approval_id=None,
        plan_to_ask=None,
    )


def _start(past: Past, line: Mapping[str, Any]) -> Past:
    return replace(past, recent=(), baseline=_state(line) or past.baseline, stopped=None)


def _set_up(past: Past, line: Mapping[str, Any]) -> Past:
    return replace(past, set_up=line.get("exit") == 0)


def _iteration(past: Past, line: Mapping[str, Any]) -> Past:
    now = Iteration(
        n=int(line["n"]),
        phase=line["phase"],
        outcome=line["outcome"],
        next=line["next"],
        note=line.get("note", ""),
        progress=bool(line.get("progress", True)),
        cost_usd=float(line.get("cost_usd", 0)),
        estimated=bool(line.get("estimated")),
        recovered=bool(line.get("recovered")),
        delay=float(line.get("delay", 0)),
    )
    entered = dict(past.entered) or {now.phase: 1}
    if now.next != now.phase:
        entered[now.next] = entered.get(now.next, 0) + 1
    plan = line.get("plan")
    return replace(
        past,
        iteration=now.n,
        phase=now.next,
        entered=entered,
        recent=(*past.recent, now),
        last=now,
        iterations=past.iterations + 1,
        cost_usd=past.cost_usd + now.cost_usd,
        dearest=past.dearest if now.estimated else max(past.dearest, now.cost_usd),
        rate=past.rate
        if now.estimated
        else max(past.rate, now.cost_usd / max(float(line.get("seconds", 0)), 1.0)),
        plan_to_ask=plan or past.plan_to_ask,
        approval_id=past.approval_id if past.approved else None,
        in_file=frozenset(past.answers),
        ask_why="" if plan else past.ask_why,
        notes=_notes_after(past, now),
        verify_failures=past.verify_failures + (now.outcome == "verify_failed"),
        done=line.get("summary", "") if now.outcome == "done" else None,
    )


def _notes_after(past: Past, now: Iteration) -> tuple[str, ...]:
    """A child that was heard has read its notes; one that was cut off is followed by another that
    is told them again, VERIFY's output among them."""
    if now.outcome == "verify_failed":
        return (now.note,) if now.note else ()
    return () if now.outcome in HEARD else past.notes


def _asked(past: Past, line: Mapping[str, Any]) -> Past:
    question = Asked(int(line["id"]), line["kind"], line["text"], line.get("plan"))
    past = replace(past, asked={**past.asked, question.id: question})
    if question.kind != "approval":
        return past
    return replace(past, approval_id=question.id, plan_to_ask=None, ask_why="")


def _answer(past: Past, line: Mapping[str, Any]) -> Past:
    number, text = int(line["id"]), str(line["text"])
    changed = number in past.answers
    by_file = past.in_file | {number} if line.get("by") == "file" else past.in_file - {number}
    past = replace(past, answers={**past.answers, number: text}, in_file=by_file)
    if past.asked[number].kind != "approval":
        said = (
            f"The human changed the answer to Q{number}."
            if changed
            else f"Q{number} is answered in _qa.md."
        )
        return _noted(past, said)
    plan = past.asked[number].plan
    if number != past.approval_id:
        return _noted(past, f"The human now says to Q{number}, an old question on {plan}: {text}")
    if questions.approves(text):
        return past
    past = _noted(past, f"The human did not approve the plan {plan} and wants this change: {text}")
    return replace(past, approved=None, phase="planning", baseline=_state(line) or past.baseline)


def _reopened(past: Past, line: Mapping[str, Any]) -> Past:
    """The human struck an answer out: the gate shuts until there is another one."""
    number = int(line["id"])
    answers = {n: text for n, text in past.answers.items() if n != number}
    reopened = past.reopened | {number}
    return replace(past, answers=answers, in_file=past.in_file - {number}, reopened=reopened)


def _approved(past: Past, line: Mapping[str, Any]) -> Past:
    approval = Approval(line["plan"], line["digest"], line["copy"])
    entered = dict(past.entered)
    if past.phase != "implementation":
        entered["implementation"] = entered.get("implementation", 0) + 1
    past = _noted(past, f"The human approved the plan {approval.plan}.")
    return replace(
        past,
        approved=approval,
        approval_id=line.get("id", past.approval_id),
        last_approved=approval,
        phase="implementation",
        entered=entered,
        verify_failures=0,
    )


def _lapsed(past: Past, line: Mapping[str, Any]) -> Past:
    past = _noted(past, f"The approval of the plan lapsed: {line['why']}")
    return replace(
        past,
        approved=None,
        approval_id=None,
        baseline=_state(line) or past.baseline,
        plan_to_ask=line.get("plan") or past.plan_to_ask,
        ask_why=line["why"] if line.get("plan") else past.ask_why,
    )


def _stop(past: Past, line: Mapping[str, Any]) -> Past:
    return replace(past, stopped=(int(line["exit"]), str(line.get("why", ""))))


def _noted(past: Past, note: str) -> Past:
    return replace(past, notes=(*past.notes, note))


def _state(line: Mapping[str, Any]) -> State | None:
    return State(line["head"], dict(line.get("dirty", {}))) if line.get("head") else None


_STEPS: Mapping[str, Callable[[Past, Mapping[str, Any]], Past]] = {
    "session": _session,
    "task": _task,
    "start": _start,
    "setup": _set_up,
    "iteration": _iteration,
    "asked": _asked,
    "answer": _answer,
    "reopened": _reopened,
    "approved": _approved,
    "lapsed": _lapsed,
    "stop": _stop,
}
