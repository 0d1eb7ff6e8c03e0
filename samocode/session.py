"""One session: its folder, its history, its checkout; how an iteration begins and is recorded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

from samocode.child.command import Job
from samocode.decide import money
from samocode.decide.facts import Decision, IterationFacts, Limits, Pause
from samocode.git.checkout import Checkout
from samocode.git.repository import Repository
from samocode.pages import compare, overview, task
from samocode.pages import iteration as iteration_page
from samocode.pages.compare import Snapshot
from samocode.pages.names import HISTORY, LOGS, SIGNAL, TASK
from samocode.pages.qa_file import QaFile
from samocode.record import files
from samocode.record.exits import ExitCode, Stop, UserError
from samocode.record.history import History, local_now
from samocode.record.state import SessionState, WorktreeStatus

Texts = Mapping[str, str]
"""The human's words of one start, by kind: dive, task."""


@final
class Session:
    """An open session. `checkout` is None when MAIN_REPO is in no git repository: research only."""

    def __init__(
        self, folder: Path, main_repo: Path, checkout: Checkout | None, history: History
    ) -> None:
        self.folder = folder
        self.name = folder.name  # also of worktree and branch
        self.main_repo = main_repo
        self.checkout = checkout
        self.history = history
        self.state = history.state
        self.qa = QaFile(folder)
        self.cwd = checkout.cwd if checkout else main_repo
        """Where the child works: MAIN_REPO's place in the worktree, or MAIN_REPO itself."""
        tree = history.state.worktree
        self.top = tree.path if tree else None
        """Where the worktree begins, None without git."""

    def status(self) -> WorktreeStatus | None:
        """The state of the session's code, None without git."""
        return self.checkout.status() if self.checkout else None

    def ensure_worktree(self) -> str | None:
        """Make the worktree usable; what was done, None when nothing had to be."""
        if self.state.worktree and self.checkout is None:
            raise UserError(
                f"{self.name} began in a git repository and {self.main_repo} is in none now."
            )
        return self.checkout.ensure() if self.checkout else None

    def restore(self) -> list[str]:
        """Put back a working directory or a notebook that is gone; what was done."""
        made = None if self.cwd.is_dir() else self.ensure_worktree()
        return [done for done in (made, overview.restore(self.folder)) if done]

    @property
    def logs(self) -> Path:
        """The folder of logs and approved plans; made again when a child removed it."""
        path = self.folder / LOGS
        if path.is_symlink() or not path.is_dir():
            if path.is_symlink() or path.exists():
                files.set_aside(path)
            path.mkdir(mode=0o700)
        return path

    def new_log(self, stem: str, suffix: str = ".log") -> Path:
        """A name in the logs folder that is not taken: no log is ever overwritten."""
        path, extra = self.logs / f"{stem}{suffix}", 1
        while path.exists() or path.is_symlink() or path.with_suffix(".stderr").exists():
            extra += 1
            path = path.with_name(f"{stem}-{extra}{suffix}")
        return path

    def begin(self, timeout: float, limits: Limits) -> tuple[Job, Snapshot]:
        """Begin the next iteration on record and print its page; what to run, and what to compare
        with afterwards. The old signal goes first: killed anywhere, nothing old looks fresh."""
        files.remove(self.folder / SIGNAL)
        state, now = self.state, local_now()
        number, status = state.iteration + 1, self.status()
        untracked = self.checkout.untracked() if self.checkout else ()
        mark = compare.fingerprint(self.folder, self.top, status, untracked)
        log = self.new_log(f"{number:03d}-{now:%m-%d-%H%M}-{state.phase}", ".jsonl")
        page = iteration_page.page(state, now, timeout, status.head if status else None)
        budget = money.left_to_spend(state, limits)
        iteration_page.write(self.folder, page)
        self.history.append(
            "begin", n=number, phase=state.phase, log=log.name, budget_usd=budget,
            timeout=timeout, **code_of(status),
        )  # fmt: skip
        before = compare.take(self.folder, mark)
        return Job(self.folder, self.cwd, log, timeout, budget, self.top), before

    def record(
        self, facts: IterationFacts, decision: Decision, timeout: float, limits: Limits
    ) -> None:
        """Put the end of the pending iteration on record."""
        run, signal, pending = facts.run, facts.check.signal, self.state.pending
        if pending is None:
            raise RuntimeError("only an iteration that began can be recorded")
        cost, estimated = money.booked(run, self.state, limits, timeout)
        done = decision.outcome == "done"
        self.history.append(
            "iteration",
            n=pending.n,
            phase=facts.phase,
            outcome=decision.outcome,
            next=decision.next,
            heard=decision.heard,
            notes=list(decision.notes) or None,
            signal=signal.status if signal else None,
            plan=decision.plan,
            summary=decision.why if done else None,
            note=decision.note.strip() or None,
            why=None if done else decision.why or None,
            head=facts.head,
            cost_usd=cost,
            estimated=estimated or None,
            tokens=run.tokens,
            seconds=round(run.seconds, 1),
            exit=run.exit_code,
            ended=run.ended,
            session_id=run.session_id,
            log=pending.log,
            progress=facts.progress,
            delay=decision.pause.seconds or None if decision.pause else None,
            left_over=list(run.left_over),
            recovered=run.ended == "killed_loop" or None,
            denied=list(run.denials) or None,
        )

    def record_pause(self, pause: Pause, seconds: float) -> None:
        """A wait for the API begins."""
        until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + seconds))
        self.history.append("limit", why=pause.why, until=until, seconds=round(seconds, 1))

    def record_stop(self, stop: Stop) -> None:
        """Record how a run ended. A full disk, or a folder that is gone, silences nobody."""
        with contextlib.suppress(OSError):
            self.history.append("stop", exit=int(stop.code), why=stop.why)

    def new(self, texts: Texts) -> Texts:
        """Those of the human's words that are not on record, word for word."""
        return {k: text for k, text in texts.items() if not _known(self.state, k, text)}

    def take(self, texts: Texts, say: Callable[[str], None]) -> None:
        """Record the human's new words of this start, and print them; say which are not new."""
        new, running = self.new(texts), bool(self.state.iteration) and self.state.done is None
        if self.state.iteration and (known := [f"--{kind}" for kind in texts if kind not in new]):
            say(f"The words of {' and '.join(known)} are in {TASK} already: not added again.")
        for kind, text in new.items():
            add_text(self.history, "note" if running else kind, text)
        task.restore(self.folder, self.state.texts)

    def make(self, texts: Texts, say: Callable[[str], None]) -> None:
        """Everything but a run: the words and the worktree."""
        if texts and self.state.pending:
            raise UserError(
                "The last run was killed in the middle of an iteration. Run once without --task, "
                "then add it."
            )
        self.take(texts, say)
        self.ensure_worktree()


def code_of(status: WorktreeStatus | None) -> dict[str, object]:
    """How a history line says what the code is: nothing without git."""
    return {"head": status.head, "dirty": dict(status.dirty)} if status else {}


def add_text(history: History, kind: str, text: str) -> None:
    """Record the human's words: at first, as a note to an unfinished session, or as a new round of
    one that is done."""
    state, opens, note = history.state, None, None
    if state.done is not None:
        opens, note = state.round + 1, "The human opened a new round: read the end of _task.md."
    elif state.iteration:
        note = "The human added a note: read the end of _task.md."
    history.append("task", kind=kind, text=text, round=opens, notes=[note] if note else None)


def _known(state: SessionState, kind: str, text: str) -> bool:
    """Whether the words are on record: an old command was given again. A note after "blocked" is a
    decision, and may be the same as the last one."""
    kinds = {known for _, known, old in state.texts if old.strip() == text.strip()}
    if kinds == {"note"} and state.stopped and state.stopped[0] == ExitCode.BLOCKED:
        return False
    return bool(kinds) if state.iteration else kind in kinds


def open_session(
    main_repo: Path, folder: Path, environ: Mapping[str, str], repair: bool = True
) -> Session:
    """An existing session's folder as a Session; `repair` only while holding the lock."""
    history = History(folder / HISTORY).load(repair)
    if history.state.started is None:
        raise UserError(
            f"{folder} has lost its _history.jsonl: put it back (see _history.jsonl.kept-*), or "
            "begin a new session."
        )
    tree = history.state.worktree
    repository = Repository.find(main_repo, environ) if tree else None
    if repository is None or tree is None:
        return Session(folder, main_repo, None, history)
    remedy = "choose another --session name, or give each project its own SESSIONS."
    if tree.commit and repository.commit(tree.commit) is None:
        commit = f"its commit {tree.commit[:9]} is not in {repository.top}"
        raise UserError(f"{folder} is a session of another repository ({commit}): {remedy}")
    if other := repository.other_holder(tree.path):
        holder = f"{tree.path} belongs to {other}"
        raise UserError(f"{folder} is a session of another clone ({holder}): {remedy}")
    return Session(folder, main_repo, Checkout(repository, tree), history)
