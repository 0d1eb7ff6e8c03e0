"""What a decision is made of and what it says: facts in, one decision out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from samocode.claude import Run
from samocode.signals import Report


class Exit(IntEnum):
    """Exit codes of main.py (protocol.md)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BLOCKED = 3
    WAITING = 4
    LIMIT = 5
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True)
class Limits:
    """The user's caps: spawns a run, USD a session (None: no cap), seconds of waiting for the
    API."""

    max_iterations: int
    max_cost: float | None
    max_wait: float


@dataclass(frozen=True)
class Facts:
    """All that is known when an iteration is over."""

    run: Run
    report: Report
    phase: str
    now: float
    """Wall clock, epoch seconds: a usage limit's reset is told in these."""
    changed_code: tuple[str, ...] = ()
    """Tracked files changed though no plan is approved."""
    tampered: tuple[str, ...] = ()
    uncommitted: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    progress: bool = True
    stop: bool = False


@dataclass(frozen=True)
class Decision:
    """What the history line says (`outcome`, `next`, `note`), and what the loop does: go on, wait,
    verify or stop."""

    outcome: str
    next: str
    action: Literal["go", "wait", "verify", "stop"]
    exit: int | None = None
    why: str = ""
    """For the human, when it stops or waits."""
    note: str = ""
    """For the next iteration."""
    delay: float = 0.0
    """Seconds before the next spawn; with `until`, a moment of the wall clock instead."""
    until: float | None = None
    plan: str | None = None
