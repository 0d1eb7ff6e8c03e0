"""SessionState and its parts: everything that the loop knows about a session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

PHASES = (
    "investigation",
    "requirements",
    "planning",
    "implementation",
    "testing",
    "quality",
    "done",
)
APPROVE, CHANGE = ("approve",), ("change",)
"""Values of `took` in the answer to an approval question."""


class Worktree(NamedTuple):
    """The worktree of a session: its path, its branch, and the branch or commit it started from."""

    path: Path
    branch: str
    base: str
    commit: str | None = None
    """The commit of `base` when the session was created."""


class WorktreeStatus(NamedTuple):
    """The status of a worktree. `dirty` holds a content hash of every changed tracked file."""

    head: str
    dirty: Mapping[str, str] = MappingProxyType({})
    branch: str = ""
    untracked: tuple[str, ...] = ()

    def newly_dirty(self, before: WorktreeStatus) -> Mapping[str, str]:
        """Return the part of `dirty` that was not so before."""
        return {n: how for n, how in self.dirty.items() if before.dirty.get(n) != how}

    def changes_since(self, before: WorktreeStatus) -> tuple[str, ...]:
        """Return what differs from `before` in HEAD or tracked files. Empty if nothing does."""
        moved = (
            (f"HEAD ({before.head[:9]} -> {self.head[:9]})",) if self.head != before.head else ()
        )
        names = {
            n for n in {*self.dirty, *before.dirty} if self.dirty.get(n) != before.dirty.get(n)
        }
        return moved + tuple(sorted(names))


class Question(NamedTuple):
    """A question as recorded in the history."""

    id: int
    kind: str
    """`qa`, `action` (something only a person can do) or `approval` (asked by the loop)."""
    title: str
    why: str = ""
    options: tuple[str, ...] = ()
    suggested: str = ""
    """The letter of an option, or the text of an answer."""
    because: str = ""
    plan: str | None = None
    """For an approval: the plan's file name."""
    copy: str = ""
    """For an approval: the plan's copy in the logs folder, made when it was asked."""


class Answer(NamedTuple):
    """A recorded answer: the exact text and how it was understood."""

    text: str
    took: tuple[str, ...] = ()
    """Letters of options, or `approve` or `change`; empty for free text."""
    by: str = ""
    """`file`, `terminal`, `telegram` or `yes` (--yes)."""


class Iteration(NamedTuple):
    """The last finished iteration, as later ones need it."""

    n: int
    phase: str
    outcome: str
    note: str = ""


class Begun(NamedTuple):
    """An iteration that started and has no `iteration` line yet."""

    n: int
    phase: str
    log: str
    code: WorktreeStatus | None = None
    """The worktree at the start of the iteration, None without git."""
    budget_usd: float | None = None
    """The budget of its child, None without a cap."""
    limit: float = 0.0
    """Time limit in seconds."""
    model: str = ""
    """Model and effort that it was started with, such as `opus:xhigh`."""


class Spent(NamedTuple):
    """What the iterations of one phase cost, in USD and seconds."""

    runs: int = 0
    """Iterations with a valid signal. `usd` and `seconds` include the others."""
    usd: float = 0.0
    seconds: float = 0.0


class Approval(NamedTuple):
    """An approved plan. `digest` ignores ticked boxes and the Notes section."""

    plan: str
    digest: str
    copy: str


class SessionState:
    """The state of a session. Only record/fold.py changes it."""

    lines: int = 0
    """Number of history lines read so far."""
    worktree: Worktree | None = None
    place: str | None = None
    """The folder that the session belongs to: relative to the repository's top, or an absolute path
    without git."""
    version: int = 0
    """Version of the history format."""
    program: str = ""
    """Version of Samocode that last started the session."""
    setting_up: bool = False
    """SETUP has started and its end is not recorded."""
    set_up: bool = False
    round: int = 1
    iteration: int = 0
    phase: str = "investigation"
    pending: Begun | None = None
    last: Iteration | None = None
    spawned: int = 0
    """Iterations since the last start of the loop."""
    cost_usd: float = 0.0
    """Reported cost."""
    held_usd: float = 0.0
    """Budgets of runs that did not report their cost."""
    unpriced: int = 0
    """Number of runs with neither a reported cost nor a budget."""
    highest_usd: float = 0.0
    """Highest reported cost of one run, in USD."""
    started: str | None = None
    plan_to_ask: str | None = None
    ask_why: str = ""
    approval_id: int | None = None
    """The current approval question."""
    approved: Approval | None = None
    forecast: tuple[float, float] | None = None
    """When the plan was approved: forecast of the remaining cost, and the cost so far, in USD."""
    as_made: WorktreeStatus | None = None
    """The worktree after SETUP. Changes until then (LFS, line ends, modes) are ignored."""
    head: str | None = None
    """The last known commit of the worktree in this round."""
    done: str | None = None
    """The summary, if the session is done."""
    restarted: float = 0.0
    """The last start, in epoch seconds, that only a person can have made (after a stop as blocked,
    at a limit or by Ctrl-C); 0 if there was none."""
    stopped: tuple[int, str] | None = None
    """Exit code and reason of the last stop; None while a loop runs."""
    began: str = ""
    """Start time of the last iteration."""
    paused: tuple[str, str] | None = None
    """Why the loop waits for the API, and until when."""

    def __init__(self, **values: Any) -> None:
        self.start_counting()
        self.texts: list[tuple[str, str, str]] = []
        """What the user wrote: (time, kind, text). The kind is task, dive or note."""
        self.inbox: set[str] = set()
        """File names of the sent notes that are recorded."""
        self.asked: dict[int, Question] = {}
        self.answers: dict[int, Answer] = {}
        self.found: dict[int, str] = {}
        """Text found after a child ran, by question, or empty if the answer was removed. The
        question is open until a person answers it; --yes does not answer it."""
        self.refused: dict[int, str] = {}
        """Why the last answer to a question was not taken."""
        self.spent: dict[str, Spent] = {}
        """By phase."""
        self.notes: list[str] = []
        """Sentences for the next child."""
        self.__dict__.update(values)

    def start_counting(self) -> None:
        """Reset every counter that can stop the loop. Called when a person decides something."""
        self.strikes: list[str] = []
        """Failed outcomes since the last valid signal."""
        self.cut_off = 0
        """Runs ended by their budget since the last valid signal."""
        self.api_waited = 0.0
        """Seconds waited for the API since the last valid signal."""
        self.idle = 0
        """Iterations that signalled `continue` since the last one that changed something."""
        self.verify_failures = 0
        self.entered: dict[str, int] = {}
        """Number of entries, by phase."""

    @property
    def task(self) -> str | None:
        """The text of the last task or dive."""
        return next((text for _, kind, text in reversed(self.texts) if kind != "note"), None)

    @property
    def spent_since_approval(self) -> float:
        """`cost_usd` plus `held_usd` since the plan was approved. `forecast` must be known."""
        return self.cost_usd + self.held_usd - (self.forecast or (0.0, 0.0))[1]

    @property
    def open(self) -> tuple[Question, ...]:
        """Questions that need an answer before the loop continues."""
        waits = (q for q in self.asked.values() if q.id not in self.answers or q.id in self.found)
        return tuple(waits)

    @property
    def approves_now(self) -> bool:
        """The approval question has a yes, but no `approved` line is recorded yet."""
        answer = self.answers.get(self.approval_id or 0)
        waits = self.approved is None and self.approval_id not in self.found
        return waits and answer is not None and answer.took == APPROVE
