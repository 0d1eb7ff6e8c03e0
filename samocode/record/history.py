"""`_history.jsonl`: the append-only record of a session, folded into its SessionState.

The fold stores and does not decide: what a line meant stands in the line. Any line may carry
`next` (the phase from here on) and `notes` (sentences for the next child).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, final

from samocode.record import files
from samocode.record.exits import UserError
from samocode.record.state import (
    CHANGE,
    Approval,
    Asked,
    Begun,
    Iteration,
    SessionState,
    Worktree,
    WorktreeStatus,
)
from samocode.record.untrusted import mapping, parse

FILE = "_history.jsonl"
VERSION = 2  # of the form of its lines
MAX_HISTORY_BYTES = 256 << 20
Line = Mapping[str, Any]


def local_now() -> datetime:
    """The wall clock with its zone: for people, and for limits that the API gives as a date."""
    return datetime.now().astimezone()


@final
class History:
    """The file and the state folded from it. `append` is the only way to add to either."""

    def __init__(self, path: Path, now: Callable[[], datetime] = local_now) -> None:
        self.path = path
        self.state = SessionState()
        self._now = now

    def load(self, repair: bool = True) -> History:
        """Read it all. A torn last line (a killed write) is kept beside when `repair`, else
        skipped. UserError when it cannot be read, is damaged, or is of another version."""
        try:
            data = files.read(self.path, MAX_HISTORY_BYTES) or b""
        except files.Unreadable as error:
            raise UserError(
                f"{self.path.parent}: {error}: put the history back to go on."
            ) from error
        whole, _, last = data.rpartition(b"\n")
        self.state = SessionState()
        lines = whole.split(b"\n") if whole else []
        for number, line in enumerate(lines, 1):
            self._fold(line, number)
        if last:
            self._end(whole, last, len(lines) + 1, repair)
        if self.state.started and self.state.version != VERSION:
            raise UserError(
                f"{self.path.parent} was made by another version of Samocode: begin a new session."
            )
        return self

    def _end(self, whole: bytes, last: bytes, number: int, repair: bool) -> None:
        """A last line without its newline: complete (an editor saved it so), or torn."""
        try:
            self._fold(last, number)
        except UserError:
            if repair:
                files.append(self.path.with_name(FILE + ".torn"), last + b"\n")
                files.write_bytes(self.path, whole + b"\n" if whole else b"")
            return
        if repair:
            files.append(self.path, b"\n")

    def append(self, event: str, **values: object) -> None:
        """Add one line, durably, and fold it in. Absent values (None) are left out."""
        line: dict[str, object] = {"t": self._now().isoformat(timespec="seconds"), "event": event}
        line |= {key: value for key, value in values.items() if value is not None}
        files.append(self.path, json.dumps(line, ensure_ascii=True).encode() + b"\n")
        fold(self.state, line)

    def _fold(self, line: bytes, number: int) -> None:
        found = mapping(parse(line))
        try:
            fold(self.state, {"event": found["event"], **found})
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.path} line {number} is damaged ({error!r}): repair or remove that line, "
                "then run again."
            ) from error


def fold(state: SessionState, line: Line) -> None:
    """Store one more line in `state`; unknown events change nothing. A line of a wrong shape
    raises KeyError, TypeError or ValueError and changes nothing."""
    step = _STEPS.get(str(line.get("event")))
    if step is None:
        return
    notes, phase = list(line.get("notes", ())), line.get("next")
    if phase is not None and not isinstance(phase, str):
        raise TypeError(f"next is {phase!r}")
    step(state, line)
    state.notes += notes
    if phase and phase != state.phase:
        state.entered[phase] = state.entered.get(phase, 0) + 1
        state.phase = phase


def _session(state: SessionState, line: Line) -> None:
    where = line.get("branch")
    tree = Worktree(Path(line["path"]), where, line["base"], line.get("commit")) if where else None
    state.worktree, state.started, state.version = tree, line.get("t"), line.get("v", 1)


def _task(state: SessionState, line: Line) -> None:
    state.texts.append((line["t"], line["kind"], line["text"]))
    if "round" in line:
        state.round, state.phase, state.entered = line["round"], "investigation", {}
        state.done, state.verify_failures = None, 0
        state.approved, state.approval_id, state.plan_to_ask = None, None, None


def _start(state: SessionState, line: Line) -> None:
    state.baseline = _status(line) or state.baseline
    state.recent, state.stopped = [], None


def _setup(state: SessionState, line: Line) -> None:
    state.set_up = line.get("exit") == 0


def _begin(state: SessionState, line: Line) -> None:
    state.pending = Begun(int(line["n"]), line["phase"], line["log"])


def _iteration(state: SessionState, line: Line) -> None:
    now = Iteration(
        n=int(line["n"]),
        phase=line["phase"],
        outcome=line["outcome"],
        next=line["next"],
        note=line.get("note", ""),
        progress=bool(line.get("progress", True)),
        cost_usd=float(line.get("cost_usd", 0)),
        estimated=bool(line.get("estimated")),
        delay=float(line.get("delay", 0)),
    )
    seconds = float(line.get("seconds", 0))
    state.iteration, state.last, state.pending = now.n, now, None
    state.iterations += 1
    state.recent.append(now)
    state.entered = state.entered or {now.phase: 1}
    state.cost_usd += now.cost_usd
    if not now.estimated:
        state.dearest = max(state.dearest, now.cost_usd)
        state.rate = max(state.rate, now.cost_usd / max(seconds, 1.0))
    if plan := line.get("plan"):
        state.plan_to_ask, state.ask_why = plan, ""
    if state.approved is None:
        state.approval_id = None
    if line.get("heard"):
        state.notes = []
    state.typed = set()
    state.verify_failures += now.outcome == "verify_failed"
    state.done = line.get("summary")


def _asked(state: SessionState, line: Line) -> None:
    question = Asked(int(line["id"]), line["kind"], line["text"], line.get("plan"))
    state.asked[question.id] = question
    if question.kind == "approval":
        state.approval_id, state.plan_to_ask, state.ask_why = question.id, None, ""


def _answer(state: SessionState, line: Line) -> None:
    number, text, took = int(line["id"]), str(line["text"]), tuple(line.get("took", ()))
    status = _status(line)
    if number not in state.asked:
        raise ValueError(f"Q{number} was never asked")
    state.answers[number], state.took[number] = text, took
    (state.typed.discard if line.get("by") == "file" else state.typed.add)(number)
    if took == CHANGE:
        state.approved, state.baseline = None, status or state.baseline


def _reopened(state: SessionState, line: Line) -> None:
    """Somebody struck an answer out: the gate shuts until there is another one."""
    number = int(line["id"])
    state.answers.pop(number, None)
    state.took.pop(number, None)
    state.reopened.add(number)


def _approved(state: SessionState, line: Line) -> None:
    state.approved = Approval(line["plan"], line["digest"], line["copy"])
    state.approval_id = line.get("id", state.approval_id)
    state.verify_failures = 0


def _lapsed(state: SessionState, line: Line) -> None:
    why, plan, status = line["why"], line.get("plan"), _status(line)
    state.approved, state.approval_id = None, None
    state.baseline = status or state.baseline
    if plan:
        state.plan_to_ask, state.ask_why = plan, why


def _stop(state: SessionState, line: Line) -> None:
    state.stopped = (int(line["exit"]), str(line.get("why", "")))


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
    "reopened": _reopened,
    "approved": _approved,
    "lapsed": _lapsed,
    "stop": _stop,
}
