"""Parse and check `_signal.json`, the same for the loop and the Stop hook."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from samocode.decide import questions
from samocode.decide.changes import uncommitted
from samocode.decide.questions import short
from samocode.git.status import nested
from samocode.pages.names import SIGNAL
from samocode.record import files, untrusted
from samocode.record.state import PHASES as PHASES
from samocode.record.state import Question, SessionState, WorktreeStatus
from samocode.record.untrusted import mapping
from samocode.record.words import few, nearest

MAX_SIGNAL_BYTES = 64 * 1024
NEEDS_APPROVAL = frozenset(PHASES[3:])
MAY_END = frozenset({"done", "investigation", "requirements"})
WAITS = ("qa_answers", "plan_approval", "human_action")
NEEDED = {"continue": (), "waiting": ("for",), "blocked": ("reason",), "done": ("summary",)}
RESEARCH = "{} needs a git repository. Without one a session is research only: end it with done."
TEXTS = ("status", "phase", "for", "plan", "reason", "needs", "summary")


class Signal(NamedTuple):
    """A well-formed signal, as described in README. Absent fields are None."""

    status: str
    phase: str | None = None
    waits_for: str | None = None
    plan: str | None = None
    reason: str | None = None
    needs: str | None = None
    summary: str | None = None
    questions: tuple[Question, ...] = ()


class SignalCheck(NamedTuple):
    """A valid signal, or one sentence per problem. `missing` means there was no file."""

    signal: Signal | None = None
    problems: tuple[str, ...] = ()
    missing: bool = False


def read(
    folder: Path, state: SessionState, status: WorktreeStatus | None, environ: Mapping[str, str]
) -> SignalCheck:
    """Read and check the session's signal. An invalid signal gives problems, never a guess.
    `status` is the worktree's, None without git."""
    try:
        data = files.read(folder / SIGNAL, MAX_SIGNAL_BYTES)
    except files.Unreadable as error:
        return SignalCheck(problems=(f"{error}: remove it and write one JSON object.",))
    if data is None:
        return SignalCheck(
            problems=(f"No {SIGNAL}: write it as your very last act.",), missing=True
        )
    signal, problems = parse(data)
    if signal:
        problems = judge(signal, folder, state, status)
        if signal.status == "done" and not problems:
            problems = _nested_problems(state, environ)
    return SignalCheck(signal=None if problems else signal, problems=problems)


def parse(data: bytes) -> tuple[Signal | None, tuple[str, ...]]:
    """Parse a signal and check its form: (signal, ()) or (None, problems)."""
    found = mapping(untrusted.parse(data))
    if not found:
        example = '{"status": "continue"}'
        return None, (f"{SIGNAL} must hold one JSON object, like {example}.",)
    problems, asked = tuple(_form_problems(found)), tuple[Question, ...]()
    waits_for = found.get("for")
    if not problems and found["status"] == "waiting" and waits_for != "plan_approval":
        asked, problems = questions.check(found.get("questions"), str(waits_for))
    if problems:
        return None, problems
    return Signal(
        status=found["status"],
        phase=found.get("phase"),
        waits_for=found.get("for"),
        plan=found.get("plan"),
        reason=found.get("reason"),
        needs=found.get("needs"),
        summary=found.get("summary"),
        questions=asked,
    ), ()


def judge(
    signal: Signal, folder: Path, state: SessionState, status: WorktreeStatus | None
) -> tuple[str, ...]:
    """Return one sentence per reason why the signal is not allowed now."""
    found, tree = _phase_problems(signal, state), state.worktree
    if status and tree and status.branch != tree.branch and signal.status != "blocked":
        found.append(
            f"{status.branch} is checked out, not the session's branch {tree.branch}: bring your "
            "commits to that branch and switch back, or signal blocked."
        )
    if signal.waits_for == "plan_approval" and signal.status == "waiting":
        found += _plan_problems(signal, folder, state)
    if signal.status == "done":
        found += _done_problems(state, status)
    return tuple(found)


def _form_problems(found: Mapping[str, Any]) -> Iterator[str]:
    status = found.get("status")
    if not isinstance(status, str) or status not in NEEDED:
        yield f"`status` must be one of {', '.join(NEEDED)}; it is {short(status)}."
        return
    for key in found:
        if key not in (*TEXTS, "questions"):
            yield f"{short(key)} is not a key{nearest(str(key).lower(), (*TEXTS, 'questions'))}."
    for key in TEXTS:
        value = found.get(key)
        if value is not None and not isinstance(value, str):
            yield f"`{key}` must be text; it is {short(value)}."
        elif key in NEEDED[status] and not (value or "").strip():
            yield f"`{status}` needs `{key}`, and it is empty."
    yield from _name_problems(found, status)


def _name_problems(found: Mapping[str, Any], status: str) -> Iterator[str]:
    phase, waits_for = found.get("phase"), found.get("for")
    if isinstance(phase, str) and phase not in PHASES:
        yield f"`phase` must be one of {', '.join(PHASES)}; it is {short(phase)}."
    waits = status == "waiting" and isinstance(waits_for, str) and waits_for.strip()
    if waits and waits_for not in WAITS:
        yield f"`for` must be one of {', '.join(WAITS)}; it is {short(waits_for)}."
    if found.get("questions") is not None and (status != "waiting" or waits_for == "plan_approval"):
        yield "`questions` are only allowed in waiting for qa_answers or human_action."


def _phase_problems(signal: Signal, state: SessionState) -> list[str]:
    if signal.phase not in NEEDS_APPROVAL or signal.status not in ("continue", "waiting"):
        return []
    if state.worktree is None:
        return [RESEARCH.format(f"Phase {signal.phase}")]
    if state.approved is None:
        return [
            f"Phase {signal.phase} needs an approved plan: in phase planning signal waiting, for "
            "plan_approval."
        ]
    return []


def _plan_problems(signal: Signal, folder: Path, state: SessionState) -> list[str]:
    if state.worktree is None:
        return [RESEARCH.format("A plan to approve")]
    if state.phase != "planning":
        return [f"plan_approval is allowed only in phase planning; this is {state.phase}."]
    name = signal.plan or ""
    if not name.strip():
        return ["plan_approval needs `plan`: the name of the plan file in the session folder."]
    plain = name.isprintable() and "/" not in name and not name.startswith(("_", "."))
    if not plain or not name.endswith(".md"):
        return [
            "`plan` must be the plain name of a .md file in the session folder; it is "
            f"{short(name)}."
        ]
    try:
        data = files.read(folder / name)
    except files.Unreadable as error:
        return [f"The plan {error}."]
    return (
        []
        if data and data.strip()
        else [f"The plan {name} is not in the session folder, or empty."]
    )


def _nested_problems(state: SessionState, environ: Mapping[str, str]) -> tuple[str, ...]:
    tree = state.worktree
    found = nested(tree.path, environ, tree.commit) if tree and tree.commit else ()
    return tuple(
        f"{name} is a git repository of its own, and the branch has none of its files. Remove "
        f"{name}/.git, run git rm -q --cached {shlex.quote(name)}, add it again, and commit."
        for name in found
    )


def _done_problems(state: SessionState, status: WorktreeStatus | None) -> list[str]:
    problems: list[str] = []
    if state.phase not in MAY_END and state.worktree:
        then = 'signal continue with "phase": "done" for the summary'
        if state.approved is None:
            then = 'signal waiting for plan_approval, or continue with "phase": "requirements"'
        problems.append(
            "done is allowed only in the phases done, investigation and requirements; this is "
            f"{state.phase}: {then}."
        )
    if left := uncommitted(state, status):
        problems.append(f"done needs every tracked change committed; not committed: {few(left)}.")
    return problems
