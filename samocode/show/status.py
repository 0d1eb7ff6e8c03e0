"""Where a session stands, and the words of every stop."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from samocode.git import worktree as worktrees
from samocode.git.branches import story
from samocode.lock import is_running
from samocode.pages.names import LOGS, OVERVIEW, QA
from samocode.pages.questions import page
from samocode.record.exits import ExitCode, Stop
from samocode.record.state import SessionState
from samocode.record.words import few
from samocode.session import Session
from samocode.settings.flags import RAISED
from samocode.show.columns import clip, wrap
from samocode.show.screen import PIPED
from samocode.show.text import in_words, money, span

TITLES: Mapping[int, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.BLOCKED: "blocked",
    ExitCode.WAITING: "waiting for you",
    ExitCode.LIMIT: "limit reached",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "terminated",
}


def questions_text(session: Session) -> str:
    """The open questions as they are printed in `_qa.md`."""
    shown, waiting = page(session.state), {question.id for question in session.state.open}
    blocks = shown.blocks if shown else ()
    return "\n\n".join(b.text.strip() for b in blocks if b.question.id in waiting)


def question_text(session: Session, number: int, columns: int) -> str:
    """One question as it is printed, without what only a page needs, broken to fit."""
    shown = page(session.state)
    block = next(b.text for b in (shown.blocks if shown else ()) if b.question.id == number)
    lines = block.strip().removeprefix("## ").removesuffix("Answer:").splitlines()
    return "\n".join(wrap(line, columns, "  ") for line in lines if line.strip())


def how_to_answer(session: Session, terminal: bool) -> str:
    """Where a person can answer."""
    here = ", or here" if terminal else ""
    return f"Answer in {session.folder / QA} (after `Answer:`){here}."


def status(session: Session, command: str) -> str:
    """Where a session stands, for `--max-iterations 0`: at most some twenty lines besides its open
    questions. `command` goes on."""
    state, running = session.state, is_running(session.folder)
    lines = _facts(session, "a loop runs it now" if running else "no loop runs it")
    if state.last:
        last, outcome = state.last, in_words(state.last.outcome)
        lines.append(f"Last:      iteration {last.n} {last.phase}: {outcome}")
    if state.stopped:
        code, why = state.stopped
        lines.append(f"Stopped:   {clip(why, PIPED) or TITLES.get(code, '')} (exit code {code})")
    if state.open:
        lines += ["", f"Open questions ({session.folder / QA}):", questions_text(session)]
    if not running and state.done is None:
        blocked = state.stopped is not None and state.stopped[0] == ExitCode.BLOCKED
        lines += ["", to_go_on(command, blocked)]
    return "\n".join(lines)


def _facts(session: Session, running: str) -> list[str]:
    state, tree = session.state, session.state.worktree
    worktree = f"{tree.path} (branch {tree.branch}, from {tree.base})" if tree else ""
    asked = [text for _, kind, text in state.texts if kind != "note"]
    phase = "done" if state.done is not None else state.phase
    phase += " (the summary is still to come)" if state.done is None and phase == "done" else ""
    plan = f"{state.approved.plan} (approved)" if state.approved else "none approved"
    size = _size(session.folder / LOGS)
    return [
        f"Session:   {session.folder}",
        *(f"Task:      {clip(text, PIPED)}" for text in asked[-1:]),
        f"Worktree:  {worktree or 'none (research)'}",
        f"Phase:     {phase} (round {state.round}; {running})",
        f"So far:    {state.iterations} iterations, {money(state)}",
        f"Plan:      {plan}",
        f"Notebook:  {session.folder / OVERVIEW}",
        f"Logs:      {size} in {LOGS}/; delete .jsonl and .stderr as you like",
    ]


def stop_text(session: Session, stop: Stop, command: str) -> str:
    """The words of a stop, on the screen and by Telegram: what happened, what it cost, how to go
    on."""
    state, code = session.state, stop.code
    lines = [f"samocode {session.name}: {TITLES[code]}", stop.why.strip(), ""]
    if code == ExitCode.WAITING:
        lines[2:] = ["", questions_text(session), "", how_to_answer(session, terminal=False)]
    if code == ExitCode.DONE:
        lines += left_out(session) + done_lines(session)
    if changed := session.changed_meanwhile():
        lines += [f"In {session.main_repo} changed meanwhile: {few(changed)}", ""]
    lines.append(
        f"{state.iterations} iteration{'s' * (state.iterations != 1)}, {money(state)}, "
        f"{_elapsed(state)}."
    )
    lines.append(f"Session: {session.folder} (logs: {_size(session.folder / LOGS)})")
    if code in (ExitCode.BLOCKED, ExitCode.FAILED) and state.last:
        logs = sorted((session.folder / LOGS).glob(f"{state.last.n:03d}-*.jsonl"))
        lines += [f"Log: {log}" for log in logs[-1:]]
    if code != ExitCode.DONE:
        lines.append(to_go_on(command, blocked=code == ExitCode.BLOCKED))
    return "\n".join(lines)


def to_go_on(command: str, blocked: bool) -> str:
    """The line with the command that goes on."""
    hint = ", raise the limit" if RAISED in command else ""
    hint += ' (add --task "your decision" if it needs one)' if blocked else ""
    return f"To go on{hint}: {command}"


def left_out(session: Session) -> list[str]:
    """The files that a merge of the branch does not bring: forgotten, or made by the tests."""
    status, state = session.status(), session.state
    names = status.untracked if status else ()
    made = state.as_made.head if state.as_made and state.approved else None
    if session.checkout and status and status.head == made:  # maybe all work is in ignored files
        names += session.checkout.ignored()
    return [f"Not in any commit: {few(names)}", ""] if names else []


def done_lines(session: Session) -> list[str]:
    """Branch, commits, change, how to merge and how to archive."""
    if session.checkout is None:
        return [f"Research only; the documents are in {session.folder}", ""]
    repository, tree = session.checkout
    commits, stat = story(repository, tree)
    if not commits:
        return [f"No commits on {tree.branch}; the documents are in {session.folder}", ""]
    return [
        f"Branch {tree.branch} in {tree.path}",
        commits,
        stat,
        f"Merge:   {worktrees.merge(repository, tree)}",
        f"Archive: /session-archive {session.name} in Claude Code",
        "",
    ]


def _size(folder: Path) -> str:
    size = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:  # maybe ten thousand
        size = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    return f"{size / 1e6:.1f} MB"


def _elapsed(state: SessionState) -> str:
    if not state.started:
        return "just begun"
    began = datetime.fromisoformat(state.started)
    return f"{span((datetime.now().astimezone() - began).total_seconds())} since it was made"
