"""Everything the loop knows of a session, as facts; history.py folds them from the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from samocode import questions
from samocode.git import State, Worktree
from samocode.questions import Question


@dataclass(frozen=True)
class Asked:
    """A question on record."""

    id: int
    kind: str
    """qa, action (something only a human can do) or approval (written by the loop)."""
    text: str
    plan: str | None = None

    @property
    def question(self) -> Question:
        """The question as it was asked."""
        return questions.parse(self.text).questions[0]


@dataclass(frozen=True)
class Iteration:
    """What the loop looks back at in one iteration's line."""

    n: int
    phase: str
    outcome: str
    next: str
    note: str = ""
    progress: bool = True
    cost_usd: float = 0.0
    estimated: bool = False
    recovered: bool = False
    delay: float = 0.0


@dataclass(frozen=True)
class Approval:
    """A plan that a human approved; `digest` is of its text without ticks and notes."""

    plan: str
    digest: str
    copy: str


@dataclass(frozen=True)
class Past:
    """Everything that the history says, as facts (no line of it is read twice elsewhere)."""

    worktree: Worktree | None = None
    set_up: bool = False
    round: int = 1
    iteration: int = 0
    phase: str = "investigation"
    entered: Mapping[str, int] = field(default_factory=dict[Any, Any])
    recent: tuple[Iteration, ...] = ()
    """Iterations since this start of the loop, the recovered one too."""
    last: Iteration | None = None
    iterations: int = 0
    cost_usd: float = 0.0
    dearest: float = 0.0
    rate: float = 0.0
    """USD a second of the fastest spender whose cost is known."""
    started: str | None = None
    texts: tuple[tuple[str, str, str], ...] = ()
    """The human's words: (time, task or dive or note, text)."""
    asked: Mapping[int, Asked] = field(default_factory=dict[Any, Any])
    answers: Mapping[int, str] = field(default_factory=dict[Any, Any])
    in_file: frozenset[int] = frozenset()
    """Answers that stood in the file for sure: there the human can strike them out. One that was
    typed may be missing there after a kill."""
    reopened: frozenset[int] = frozenset()
    """Questions whose answer somebody took back."""
    plan_to_ask: str | None = None
    ask_why: str = ""
    approval_id: int | None = None
    """The approval question that holds now."""
    approved: Approval | None = None
    last_approved: Approval | None = None
    baseline: State | None = None
    """What code looked like when it last was the human's: at this start, or when an approval
    lapsed."""
    verify_failures: int = 0
    done: str | None = None
    """The summary, once the session is done."""
    notes: tuple[str, ...] = ()
    """What the next iteration is told, in the order it happened."""
    stopped: tuple[int, str] | None = None

    @property
    def open(self) -> tuple[Asked, ...]:
        """Questions on record without an answer on record: the gate is shut."""
        return tuple(q for q in self.asked.values() if q.id not in self.answers)

    @property
    def approves_now(self) -> bool:
        """The approval question has a yes that no `approved` line follows yet."""
        answer = self.answers.get(self.approval_id or 0)
        return self.approved is None and answer is not None and questions.approves(answer)
