"""A session: its folder, history and checkout; how iterations start and are recorded."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import final

from samocode.child.command import Job
from samocode.decide import money
from samocode.decide.facts import Decision, IterationFacts, Limits, Pause
from samocode.decide.signal import Signal
from samocode.git.checkout import Checkout
from samocode.git.repository import Repository
from samocode.git.shared import Shared
from samocode.pages import printed
from samocode.pages.compare import Mark, mark
from samocode.pages.names import HISTORY, ITERATION, LOGS, SIGNAL, TASK
from samocode.record import files
from samocode.record.exits import Stop, UserError
from samocode.record.fold import Line
from samocode.record.history import History, local_now
from samocode.record.state import WorktreeStatus


@final
class Session:
    """An open session. `checkout` is None without a git repository: research only."""

    def __init__(
        self, folder: Path, main_repo: Path, checkout: Checkout | None, history: History,
        shared: Shared | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.name = folder.name  # also the name of the worktree and the end of the branch name
        self.main_repo = main_repo
        self.checkout = checkout
        self.history = history
        self.shared = shared
        self.state = history.state
        self.cwd = checkout.cwd if checkout else main_repo
        """The child's working directory: MAIN_REPO, or that folder in the worktree."""
        tree = history.state.worktree
        self.top = tree.path if tree else None
        """The root of the worktree, None without git."""

    def status(self) -> WorktreeStatus | None:
        """Return the worktree's status, None without git."""
        return self.checkout.status() if self.checkout else None

    def changed_meanwhile(self) -> list[str]:
        """Name what changed in the shared repository since the run started (see Shared)."""
        return self.shared.changed() if self.shared else []

    def ensure_worktree(self) -> str | None:
        """Create the worktree if needed. Return what was done, or None."""
        if self.state.worktree and self.checkout is None:
            raise UserError(
                f"{self.name} began in a git repository, but {self.main_repo} is no longer in one: "
                "restore the repository, or begin a new session."
            )
        made = self.checkout.ensure(self.state.head) if self.checkout else None
        if made:
            self.history.append("setup")  # it needs SETUP
        return made

    def restore(self) -> list[str]:
        """Restore a missing working directory or notebook. Return what was done."""
        made = None if self.cwd.is_dir() else self.ensure_worktree()
        return [done for done in (made, printed.restore_overview(self.folder)) if done]

    @property
    def logs(self) -> Path:
        """The folder of logs and plan copies, created if missing."""
        return files.folder(self.folder / LOGS)

    def new_log(self, stem: str, suffix: str = ".log") -> Path:
        """Return a free name in the logs folder."""
        path, extra = self.logs / f"{stem}{suffix}", 1
        while os.path.lexists(path) or os.path.lexists(path.with_suffix(".stderr")):
            extra += 1
            path = path.with_name(f"{stem}-{extra}{suffix}")
        return path

    def begin(self, timeout: float, limits: Limits, model: str = "") -> tuple[Job, Mark]:
        """Record the start of the next iteration and print its page. The old signal is removed
        first, so that after a kill it is not taken for a new one."""
        files.remove(self.folder / SIGNAL)
        state, now = self.state, local_now()
        number, status = state.iteration + 1, self.status()
        log = self.new_log(f"{number:03d}-{now:%m-%d-%H%M}-{state.phase}", ".jsonl")
        budget = money.budget(state, limits.max_cost)
        page = printed.iteration(state, now, timeout, budget, status.head if status else None)
        files.write(self.folder / ITERATION, page, durable=False)
        self.history.append(
            "begin", n=number, phase=state.phase, log=log.name, budget_usd=budget,
            timeout=timeout, model=model or None, **code_of(status),
        )  # fmt: skip
        before = mark(self.folder, status, page)
        approved = state.approved is not None
        job = Job(
            self.folder, self.cwd, log, timeout, budget, self.top, approved, number, state.phase,
            model,
        )  # fmt: skip
        return job, before

    def record(self, facts: IterationFacts, decision: Decision) -> Line:
        """Record the end of the pending iteration, and return its line."""
        run, signal, pending = facts.run, facts.check.signal, self.state.pending
        if pending is None:
            raise RuntimeError("only an iteration that began can be recorded")
        cost, done = money.cost(run), decision.outcome == "done"
        return self.history.append(
            "iteration",
            n=pending.n,
            phase=facts.phase,
            outcome=decision.outcome,
            next=decision.next,
            heard=decision.heard,
            notes=list(decision.notes) or None,
            signal=signal.status if signal else None,
            plan=decision.plan,
            asked=self._asked(signal) if signal and decision.outcome == "waiting" else None,
            summary=decision.why if done else None,
            note=decision.note.strip() or None,
            why=None if done else decision.why or None,
            head=facts.head,
            cost_usd=cost,
            held_usd=pending.budget_usd if cost is None else None,
            tokens=run.tokens,
            model=run.model or None,
            seconds=round(run.seconds, 1),
            exit=run.exit_code,
            ended=run.ended,
            session_id=run.session_id,
            log=pending.log,
            progress=facts.progress,
            files=facts.files or None,
            delay=decision.pause.seconds or None if decision.pause else None,
            left_over=list(run.left_over),
            recovered=run.ended == "killed_loop" or None,
            denied=list(run.denials) or None,
            init={k: v for k, v in run.init._asdict().items() if v} if run.init else None,
        )

    def _asked(self, signal: Signal) -> list[dict[str, object]] | None:
        """Number the child's questions. One line holds them all, so a kill cannot split them."""
        first = max(self.state.asked, default=0) + 1
        asked: list[dict[str, object]] = [
            {k: v for k, v in q._replace(id=number)._asdict().items() if v}
            for number, q in enumerate(signal.questions, first)
        ]
        return asked or None

    def record_pause(self, pause: Pause, seconds: float) -> None:
        """Record the start of a pause."""
        until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + seconds))
        self.history.append("limit", why=pause.why, until=until, seconds=round(seconds, 1))

    def record_stop(self, stop: Stop) -> Stop:
        """Record how the run ended, and return it. A full disk or a missing folder is ignored."""
        with contextlib.suppress(OSError):
            self.history.append("stop", exit=int(stop.code), why=stop.why)
        return stop

    def put_back(self, before: Mark | None, say: Callable[[str], None]) -> bool:
        """Restore the history, `_task.md` and (except after a kill) `_iteration.json` if a child
        changed them, and keep the changed versions. Return whether the history had been changed."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        tampered = self.history.restore()
        pages = {TASK: printed.task(self.name, self.state)}
        pages |= {ITERATION: before.page} if before else {}
        for name, text in pages.items():
            path, wanted = self.folder / name, text.encode()
            if files.read_any(path) != wanted:
                kept = files.keep(path)
                files.write(path, wanted)
                how = " To send a note, use --task." if name == TASK else ""
                say(f"   {name} was changed or removed ({kept}) and is printed again.{how}")
        return tampered


def code_of(status: WorktreeStatus | None) -> dict[str, object]:
    """Return the fields of a history line that describe the worktree."""
    return {"head": status.head, "dirty": dict(status.dirty)} if status else {}


def open_session(
    main_repo: Path, folder: Path, repository: Repository | None, repair: bool = True
) -> Session:
    """Open an existing session. `repository` is MAIN_REPO's. With `repair`, for which the caller
    holds the lock, also mend a torn last line, copy the history and watch the shared repository."""
    history = History(folder / HISTORY).load(repair)
    if history.state.started is None:
        raise UserError(
            f"{folder} has lost its _history.jsonl: put it back (see _history.jsonl.kept-*), or "
            "begin a new session."
        )
    tree = history.state.worktree
    if repository is None or tree is None:
        return Session(folder, main_repo, None, history)
    shared = Shared(repository, tree.path) if repair else None
    return Session(folder, main_repo, Checkout(repository, tree), history, shared)
