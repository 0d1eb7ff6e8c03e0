"""What a person sees: live lines while a child works, the state of a session, and the words of
every stop."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from samocode import worktrees
from samocode.claude import Run
from samocode.decision import Decision, Exit
from samocode.events import Event, content
from samocode.outside import mapping
from samocode.past import Past
from samocode.session import LOGS, OVERVIEW, QA, Session
from samocode.sessions import is_running

RAISED = "--max-cost N"  # in the command to go on: how much more it may cost is the person's choice
WIDTH = 110  # columns of a live line
TOOL_INPUTS = (
    "command",
    "file_path",
    "path",
    "pattern",
    "url",
    "query",
    "description",
    "skill",
    "prompt",
)
TITLES: Mapping[int, str] = {
    Exit.DONE: "done",
    Exit.FAILED: "failed",
    Exit.BLOCKED: "blocked",
    Exit.WAITING: "waiting for you",
    Exit.LIMIT: "limit reached",
    Exit.INTERRUPTED: "interrupted",
    Exit.TERMINATED: "terminated",
}


@dataclass
class View:
    """Prints to `out`; a reader that went away (a closed pipe) never stops the loop."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    quiet: float = 300.0
    """Seconds without a line after which the child is mentioned as still running."""
    known: tuple[str, ...] = ()
    """Folders that are not repeated in every line: the session's and the code's."""
    clock: Callable[[], float] = time.monotonic
    _began: float = 0.0
    _spoke: float = 0.0

    def say(self, text: str = "") -> None:
        """Print lines, whatever characters are in them."""
        self._spoke = self.clock()
        self.prompt(text + "\n")

    def prompt(self, text: str) -> None:
        """Print the beginning of a line that a person completes."""
        try:
            self.out.write(_printable(text))
            self.out.flush()
        except OSError:  # nobody reads any more; Python must not fail on it at exit either
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.out.fileno())

    def iteration(self, past: Past, limit: float) -> None:
        """The heading of an iteration."""
        self._began = self.clock()
        cost = f", {past.cost_usd:.2f} USD so far" if past.cost_usd else ""
        self.say(
            f"\n== {past.iteration + 1} {past.phase} ({datetime.now():%H:%M}, limit "
            f"{_span(limit)}{cost})"
        )

    def event(self, event: Event | None) -> None:
        """A line for what the child does; None asks for a sign of life when it has been quiet."""
        if event is None:
            if self.clock() - self._spoke > self.quiet:
                self.say(f"   ... still running, {_span(self.clock() - self._began)}")
            return
        for line in describe(event):
            for folder in self.known:
                line = line.replace(f"{folder}/", "")
            self.say("   " + _clip(line))

    def ended(self, decision: Decision, run: Run) -> None:
        """How an iteration ended."""
        money = f", {run.facts.cost_usd:.2f} USD" if run.facts.cost_usd else ""
        onward = f" -> {decision.next}" if decision.action == "go" else ""
        self.say(f"-- {decision.outcome}{onward} ({_span(run.seconds)}{money})")
        if run.left_over:
            self.say(f"   ended what it left running: {', '.join(run.left_over)}")
        if decision.note.strip() and decision.outcome != "continue":
            self.say("   " + decision.note.strip().replace("\n", "\n   "))


def describe(event: Event) -> list[str]:
    """One line for each thing an event shows: words, tool calls, denials, retries."""
    kind, subtype = event.get("type"), event.get("subtype")
    if kind == "system" and subtype == "api_retry":
        status = event.get("error_status") or event.get("error")
        return [
            f"the API failed ({status}), try {event.get('attempt')} of {event.get('max_retries')}"
        ]
    if kind == "system" and subtype == "permission_denied":
        return [f"permission denied: {event.get('tool_name')}"]
    if kind != "assistant":
        return []
    depth = "  " if event.get("parent_tool_use_id") else ""
    return [depth + line for block in content(event) if (line := _block(block))]


def questions_text(session: Session) -> str:
    """The open questions as they stand in `_qa.md`."""
    document = session.read_questions()
    blocks = (document.find(q.id) or q.question for q in session.history.past.open)
    return "\n\n".join(block.text.strip() for block in blocks)


def how_to_answer(session: Session, terminal: bool) -> str:
    """Where a person can answer."""
    here = ", or here" if terminal else ""
    return f"Answer in {session.folder / QA} (after `Answer:`){here}."


def status(session: Session, go_on: str) -> str:
    """Where a session stands, for `--max-iterations 0`: at most some twenty lines besides its open
    questions."""
    past = session.history.past
    tree = session.worktree
    held = is_running(session.folder)
    running = "a loop runs it now" if held else "no loop runs it"
    asked = [text for _, kind, text in past.texts if kind != "note"]
    lines = [
        f"Session:   {session.folder}",
        *(f"Task:      {_clip(text)}" for text in asked[-1:]),
        f"Worktree:  {tree.path} (branch {tree.branch}, from {tree.base})"
        if tree
        else "Worktree:  none (research)",
        f"Phase:     {'done' if past.done is not None else past.phase} (round {past.round}; "
        f"{running})",
        f"So far:    {past.iterations} iterations, {past.cost_usd:.2f} USD",
        f"Plan:      {past.approved.plan} (approved)"
        if past.approved
        else "Plan:      none approved",
        f"Notebook:  {session.folder / OVERVIEW}",
        f"Logs:      {_size(session.folder / LOGS)} in {LOGS}/; delete .jsonl and .stderr as you "
        "like",
    ]
    if past.last:
        lines.append(f"Last:      iteration {past.last.n} {past.last.phase}: {past.last.outcome}")
    if past.stopped:
        code, why = past.stopped
        lines.append(f"Stopped:   {_clip(why) or TITLES.get(code, '')} (exit code {code})")
    if past.open:
        lines += ["", f"Open questions ({session.folder / QA}):", questions_text(session)]
    if not held and past.done is None:
        lines += [
            "",
            to_go_on(go_on, blocked=bool(past.stopped and past.stopped[0] == Exit.BLOCKED)),
        ]
    return "\n".join(lines)


def stop_text(session: Session, code: Exit, why: str, go_on: str) -> str:
    """The words of a stop, on the screen and by Telegram: what happened, what it cost, how to go
    on."""
    past = session.history.past
    cost = f"{past.cost_usd:.2f} USD" if past.cost_usd else "no cost reported"
    lines = [f"samocode {session.name}: {TITLES[code]}", why.strip(), ""]
    if code == Exit.WAITING:
        lines[2:] = ["", questions_text(session), "", how_to_answer(session, terminal=False)]
    if code == Exit.DONE:
        lines += left_out(session) + done_lines(session)
    lines.append(
        f"{past.iterations} iteration{'s' * (past.iterations != 1)}, {cost}, {_elapsed(past)}."
    )
    lines.append(f"Session: {session.folder} (logs: {_size(session.folder / LOGS)})")
    if code in (Exit.BLOCKED, Exit.FAILED) and past.last:
        logs = sorted((session.folder / LOGS).glob(f"{past.last.n:03d}-*.jsonl"))
        lines += [f"Log: {log}" for log in logs[-1:]]
    if code != Exit.DONE:
        lines.append(to_go_on(go_on, blocked=code == Exit.BLOCKED))
    return "\n".join(line for line in lines)


def to_go_on(command: str, blocked: bool) -> str:
    """The line with the command that goes on."""
    hint = ", raise the limit" if RAISED in command else ""
    hint += ' (add --task "your decision" if it needs one)' if blocked else ""
    return f"To go on{hint}: {command}"


def left_out(session: Session) -> list[str]:
    """The files that a merge of the branch does not bring: forgotten, or made by the tests."""
    names = session.untracked()
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return [f"Not in any commit: {', '.join(names[:10])}{more}", ""] if names else []


def done_lines(session: Session) -> list[str]:
    """Branch, commits, change, how to merge and how to archive."""
    if session.worktree is None or session.repository is None:
        return [f"Research only; the documents are in {session.folder}", ""]
    tree = session.worktree
    commits, stat = session.repository.story(tree)
    if not commits:
        return [f"No commits on {tree.branch}; the documents are in {session.folder}", ""]
    return [
        f"Branch {tree.branch} in {tree.path}",
        commits,
        stat,
        f"Merge:   {worktrees.merge(session.repository, tree)}",
        f"Archive: /session-archive {session.name} in Claude Code",
        "",
    ]


def _size(folder: Path) -> str:
    size = sum(file.lstat().st_size for file in folder.glob("*")) if folder.is_dir() else 0
    return f"{size / 1e6:.1f} MB"


def _elapsed(past: Past) -> str:
    if not past.started:
        return "just begun"
    began = datetime.fromisoformat(past.started)
    return f"{_span((datetime.now().astimezone() - began).total_seconds())} since it was made"


def _block(block: Mapping[str, Any]) -> str:
    """The line for one block of a message; empty for what is not shown."""
    if block.get("type") == "text":
        lines = str(block.get("text", "")).strip().splitlines()
        return lines[0] if lines else ""
    if block.get("type") != "tool_use":
        return ""
    given = mapping(block.get("input"))
    shown = next((str(given[key]) for key in TOOL_INPUTS if given.get(key)), "")
    return f"{block.get('name')}: {' '.join(shown.split())}"


def _clip(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _printable(text: str) -> str:
    """No control characters: what a model or a repository says must not drive the terminal."""
    clean = "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)
    return clean.encode("utf-8", "replace").decode("utf-8")


def _span(seconds: float) -> str:
    """A length of time as people say it: 40s, 12m, 3h05m."""
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes = int(seconds // 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"
