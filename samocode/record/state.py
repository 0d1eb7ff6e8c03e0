"""All that the loop knows of a session: typed facts, folded from the history."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

APPROVE, CHANGE = ("approve",), ("change",)
"""What the answer to an approval question was taken as (`took` in its line)."""


class Worktree(NamedTuple):
    """Where a session's code lives: `path` on `branch`, cut from the branch or commit `base`."""

    path: Path
    branch: str
    base: str
    commit: str | None = None
    """The commit that `base` was when the session was made."""


class WorktreeStatus(NamedTuple):
    """What is checked out: HEAD's hash, and a content hash of every tracked file that differs. The
    branch and the untracked files are those of the moment; no comparison looks at them."""

    head: str
    dirty: Mapping[str, str] = MappingProxyType({})
    branch: str = ""
    untracked: tuple[str, ...] = ()

    def changes_since(self, before: WorktreeStatus) -> tuple[str, ...]:
        """The names in which two statuses differ; empty when nothing tracked changed."""
        moved = (
            (f"HEAD ({before.head[:9]} -> {self.head[:9]})",) if self.head != before.head else ()
        )
        names = {
            n for n in {*self.dirty, *before.dirty} if self.dirty.get(n) != before.dirty.get(n)
        }
        return moved + tuple(sorted(names))


class Question(NamedTuple):
    """A question on record."""

    id: int
    kind: str
    """qa, action (something only a human can do) or approval (asked by the loop)."""
    title: str
    why: str = ""
    options: tuple[str, ...] = ()
    suggested: str = ""
    """A letter of the options, or a text that does as an answer."""
    because: str = ""
    plan: str | None = None
    """The plan that an approval is about."""
    copy: str = ""
    """A copy of that plan as it was when it was asked about, in the logs folder."""


class Answer(NamedTuple):
    """An answer on record, verbatim, and what it was taken as when it was recorded."""

    text: str
    took: tuple[str, ...] = ()
    """Letters of options, `approve`, `change`; empty for free text."""
    by: str = ""
    """file, terminal, telegram or yes."""


class Iteration(NamedTuple):
    """One finished iteration, as far as later ones look back at it."""

    n: int
    phase: str
    outcome: str
    note: str = ""


class Begun(NamedTuple):
    """An iteration that began and has no `iteration` line yet."""

    n: int
    phase: str
    log: str
    code: WorktreeStatus | None = None
    """The code as it was then, None without git."""
    budget_usd: float | None = None
    """What its child may spend, None without a cap."""


class Approval(NamedTuple):
    """A plan that a human approved; `digest` is of its text without ticks and notes."""

    plan: str
    digest: str
    copy: str


class SessionState:
    """What the history says. Only the fold in history.py writes to it; everybody else reads."""

    lines: int = 0
    """Lines of the history, this state's own number."""
    worktree: Worktree | None = None
    place: str | None = None
    """The folder that the session belongs to: below the repository's top, or without git a path."""
    version: int = 0
    """Version of the history's form, from its `session` line."""
    program: str = ""
    """Version of the Samocode that runs the session, from its last start."""
    setting_up: bool = False
    """SETUP began and has no end on record."""
    set_up: bool = False
    round: int = 1
    iteration: int = 0
    phase: str = "investigation"
    pending: Begun | None = None
    last: Iteration | None = None
    iterations: int = 0
    spawned: int = 0
    """Iterations since this start of the loop."""
    cost_usd: float = 0.0
    """Known to be spent."""
    held_usd: float = 0.0
    """Budgets of runs that did not report their cost."""
    unpriced: int = 0
    """Runs that did not report their cost and had no budget."""
    dearest: float = 0.0
    """USD of the most expensive run whose cost is known."""
    started: str | None = None
    plan_to_ask: str | None = None
    ask_why: str = ""
    approval_id: int | None = None
    """The approval question that holds now."""
    approved: Approval | None = None
    as_made: WorktreeStatus | None = None
    """The worktree as it was made, after SETUP. What is dirty in it (LFS, line ends, file modes) is
    nobody's fault."""
    done: str | None = None
    """The summary, once the session is done."""
    stopped: tuple[int, str] | None = None
    """Exit code and reason of the last stop, until the next start."""
    began: str = ""
    """When the last iteration began."""
    paused: tuple[str, str] | None = None
    """Why the loop waits for the API, and until when, until it goes on."""

    def __init__(self, **values: Any) -> None:
        self.start_counting()
        self.texts: list[tuple[str, str, str]] = []
        """The human's words: (time, task or dive or note, text)."""
        self.inbox: set[str] = set()
        """Names of the sent notes that are on record."""
        self.asked: dict[int, Question] = {}
        self.answers: dict[int, Answer] = {}
        self.found: dict[int, str] = {}
        """Text that was found after a child ran: whose it is, nobody knows, so a human says."""
        self.before: dict[int, str] = {}
        """Answers that a human struck out, of questions that are open."""
        self.human: set[int] = set()
        """Questions that a human has answered once: --yes never does."""
        self.notes: list[str] = []
        """What the next child is told, in order."""
        self.__dict__.update(values)

    def start_counting(self) -> None:
        """Set every counter that can stop the loop to its beginning: a person has decided."""
        self.strikes: list[str] = []
        """Outcomes that are strikes, since the last valid signal."""
        self.cut_off = 0
        """Runs that their budget ended, since the last valid signal."""
        self.api_waited = 0.0
        """Seconds waited for the API, since the last valid signal."""
        self.idle = 0
        """`continue` that changed nothing, since something changed."""
        self.verify_failures = 0
        self.entered: dict[str, int] = {}
        """Visits, by phase."""

    @property
    def open(self) -> tuple[Question, ...]:
        """Questions that wait for the human: the gate is shut."""
        waits = (q for q in self.asked.values() if q.id not in self.answers or q.id in self.found)
        return tuple(waits)

    @property
    def approves_now(self) -> bool:
        """The approval question has a yes, and its `approved` line is not written yet."""
        answer = self.answers.get(self.approval_id or 0)
        return self.approved is None and answer is not None and answer.took == APPROVE
