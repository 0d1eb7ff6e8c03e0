"""The facts of one finished iteration, read once, and the decision that is made of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from samocode.child.stream import RunResult
from samocode.decide import signal as signals
from samocode.decide.context import changed_code, signal_context
from samocode.decide.signal import SignalCheck
from samocode.git.checkout import Checkout
from samocode.pages import compare
from samocode.pages.compare import Mark
from samocode.record.exits import Stop
from samocode.record.state import SessionState, WorktreeStatus
from samocode.record.words import few

HEARD = frozenset({"continue", "waiting", "blocked", "done", "verify_failed", "stalled", "looping"})
"""Outcomes of a child that read its notes and answered; after any other the next child is told them
again."""


class Limits(NamedTuple):
    """The user's caps: spawns a run, USD a session (None: no cap), seconds of waiting for the
    API."""

    max_iterations: int
    max_cost: float | None
    max_wait: float


class IterationFacts(NamedTuple):
    """All that is known when an iteration is over."""

    run: RunResult
    check: SignalCheck
    phase: str
    now: float
    """Wall clock, epoch seconds: a usage limit's reset is given in these."""
    head: str | None = None
    changed_code: tuple[str, ...] = ()
    """Tracked files changed though no plan is approved."""
    tampered: bool = False
    """The child changed the history; it was put back."""
    uncommitted: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    progress: bool = True
    """Something was left behind: a commit, a change, a new file."""
    files: int = 0
    """How many files of the worktree changed, those of commits and new ones included."""
    stopping: bool = False
    """The human asked to stop."""

    @property
    def left(self) -> str:
        """What no commit holds, as a sentence to add."""
        changed = f" Uncommitted: {few(self.uncommitted)}." if self.uncommitted else ""
        return changed + (f" Untracked: {few(self.untracked)}." if self.untracked else "")

    @property
    def denied(self) -> str:
        """Which tools were denied, as a sentence to add."""
        names = tuple(dict.fromkeys(self.run.denials))
        return f" Permission was denied for: {few(names)}." if names else ""


def read(
    folder: Path,
    state: SessionState,
    checkout: Checkout | None,
    run: RunResult,
    before: Mark | None,
    tampered: bool,
    stopping: bool,
) -> IterationFacts:
    """Look at everything once: git, the signal, the files. `before` is None for the
    iteration of a killed loop."""
    first = state.iteration == 0  # the index of a new worktree is refreshed once
    status = checkout.status(refresh=first) if checkout else None
    context = signal_context(folder, state, status)
    tree = checkout.worktree.path if checkout else None
    return IterationFacts(
        run=run,
        check=signals.read(context),
        phase=state.phase,
        now=time.time(),
        head=status.head if status else None,
        changed_code=changed_code(state, status, checkout.repository.environ) if checkout else (),
        tampered=tampered,
        uncommitted=context.uncommitted,
        untracked=status.untracked if status else (),
        progress=before is None or compare.progress(folder, tree, before, status),
        files=_files(checkout, before.code if before else None, status),
        stopping=stopping,
    )


def _files(
    checkout: Checkout | None, before: WorktreeStatus | None, now: WorktreeStatus | None
) -> int:
    if checkout is None or before is None or now is None:
        return 0
    new = set(now.untracked) - set(before.untracked)
    moved = before.head != now.head  # named among the changes, and no file
    return len(new.union(checkout.changes(before, now))) - moved


class Pause(NamedTuple):
    """A wait for the API before the next spawn: `seconds`, or until a moment of the wall clock."""

    why: str
    seconds: float = 0.0
    until: float | None = None

    def length(self, most: float) -> float:
        """Seconds from now on; never more than `most` for a moment of the wall clock."""
        return self.seconds if self.until is None else min(self.until - time.time(), most)


class Decision(NamedTuple):
    """How an iteration ended and what follows: the history line says it, the loop does it."""

    outcome: str
    next: str
    """The phase of the next iteration."""
    stop: Stop | None = None
    note: str = ""
    """For the next child, with the outcome."""
    pause: Pause | None = None
    plan: str | None = None
    """The plan to ask approval for."""
    notes: tuple[str, ...] = ()
    """For every child until one of them answers."""

    def then(self, follows: Stop | Pause | None) -> Decision:
        """The same outcome, and then a stop or a pause."""
        stop = follows if isinstance(follows, Stop) else self.stop
        return self._replace(stop=stop, pause=follows if isinstance(follows, Pause) else self.pause)

    @property
    def why(self) -> str:
        """The reason, for the human; empty when the loop simply goes on."""
        return self.stop.why if self.stop else self.pause.why if self.pause else ""

    @property
    def heard(self) -> bool:
        """The child read the notes it was given: they are not repeated."""
        return self.outcome in HEARD
