"""The facts of a finished iteration, and the Decision made from them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from samocode.child.stream import RunResult
from samocode.decide import signal as signals
from samocode.decide.changes import changed_code, uncommitted
from samocode.decide.signal import SignalCheck
from samocode.git.checkout import Checkout
from samocode.pages import compare
from samocode.pages.compare import Mark
from samocode.record.exits import Stop
from samocode.record.state import SessionState, WorktreeStatus
from samocode.record.words import few
from samocode.settings.load import Settings

HEARD = frozenset({"continue", "waiting", "blocked", "done", "verify_failed", "stalled", "looping"})
"""Outcomes after which the notes count as read. After any other, the next child gets them again."""


class Limits(NamedTuple):
    """Limits set by the user: iterations per run, USD per session, seconds to wait for the API."""

    max_iterations: int
    max_cost: float | None
    max_wait: float
    keep_quota: float = 0.0
    """Percent of a subscription's limits that the loop leaves unused."""

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Return the limits in the settings."""
        most, cost, wait = settings.max_iterations, settings.max_cost, settings.max_wait
        return cls(most, cost, wait, settings.keep_quota or 0.0)


class IterationFacts(NamedTuple):
    """Everything that the policy needs to know about a finished iteration."""

    run: RunResult
    check: SignalCheck
    phase: str
    now: float
    """Epoch seconds, like the reset time of a usage limit."""
    head: str | None = None
    changed_code: tuple[str, ...] = ()
    """What the child changed before a plan was approved: tracked files, HEAD, or a merge begun."""
    tampered: bool = False
    """The child changed the history. It was restored."""
    uncommitted: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    progress: bool = True
    """The iteration changed a file or made a commit."""
    files: int = 0
    """Files of the worktree that changed: in commits, uncommitted, or new."""
    stopping: bool = False
    """The user asked to stop."""

    @property
    def left(self) -> str:
        """Uncommitted and untracked files, as a sentence to append."""
        changed = f" Uncommitted: {few(self.uncommitted)}." if self.uncommitted else ""
        return changed + (f" Untracked: {few(self.untracked)}." if self.untracked else "")

    @property
    def denied(self) -> str:
        """Denied tools, as a sentence to append."""
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
    """Read git, the signal and the files once. `before` is None if the loop was killed."""
    first = state.iteration == 0  # the index of a new worktree is refreshed once
    status = checkout.status(refresh=first) if checkout else None
    tree = checkout.worktree.path if checkout else None
    environ: Mapping[str, str] = checkout.repository.environ if checkout else {}
    return IterationFacts(
        run=run,
        check=signals.read(folder, state, status, environ),
        phase=state.phase,
        now=time.time(),
        head=status.head if status else None,
        changed_code=changed_code(state, status, environ),
        tampered=tampered,
        uncommitted=uncommitted(state, status),
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
    moved = before.head != now.head  # `changes` lists a moved HEAD, which is not a file
    return len(new.union(checkout.changes(before, now))) - moved


class Pause(NamedTuple):
    """A wait for the API: `seconds`, or `until` a time in epoch seconds."""

    why: str
    seconds: float = 0.0
    until: float | None = None

    def length(self, most: float, now: float | None = None) -> float:
        """Return the seconds from now. A wait `until` a time is at most `most` long."""
        if self.until is None:
            return self.seconds
        return min(self.until - (time.time() if now is None else now), most)


class Decision(NamedTuple):
    """How an iteration ended and what follows."""

    outcome: str
    next: str
    """The phase of the next iteration."""
    stop: Stop | None = None
    note: str = ""
    """For the next child, with the outcome."""
    pause: Pause | None = None
    plan: str | None = None
    """The plan that needs approval."""
    notes: tuple[str, ...] = ()
    """For the next children, until one ends with a valid signal."""

    def then(self, follows: Stop | Pause | None) -> Decision:
        """Return the same decision with a stop or a pause."""
        stop = follows if isinstance(follows, Stop) else self.stop
        return self._replace(stop=stop, pause=follows if isinstance(follows, Pause) else self.pause)

    @property
    def why(self) -> str:
        """The reason for the user; empty if the loop simply continues."""
        return self.stop.why if self.stop else self.pause.why if self.pause else ""

    @property
    def heard(self) -> bool:
        """Whether the child read its notes, so that they are not repeated."""
        return self.outcome in HEARD
