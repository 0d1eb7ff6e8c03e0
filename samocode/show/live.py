"""The live view: a header, lines while a child works, and how each iteration ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TextIO, final

from samocode.child.command import TESTED
from samocode.child.stream import Event, Init
from samocode.record.fold import Line
from samocode.record.state import SessionState
from samocode.record.words import counted
from samocode.show.child import ChildLines, Shown
from samocode.show.columns import clip, width, wrap
from samocode.show.screen import BOLD, DIM, GREEN, RED, YELLOW, Screen
from samocode.show.text import ASKED, LAST, in_words, money, span, step, watch

MOST_LINES = 50  # shown of a child per second; nobody reads more
NARROW = 60  # columns; with fewer the moving line names no phase
SILENT = 3.0  # seconds without an event after which the moving line says so


@final
class View:
    """Shows one run on `screen`.

    `patience`: where no line can move, seconds without output until a line says that the child
    still runs. `known`: folders that are left out of paths. `quiet`: do not show what a child does.
    """

    def __init__(
        self, out: TextIO | None = None, environ: Mapping[str, str] | None = None,
        patience: float = 300.0, known: tuple[str, ...] = (), quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.screen = Screen(out or sys.stdout, environ or {})
        self.quiet, self._patience, self._clock = quiet, patience, clock
        self._known = known
        self._child = ChildLines(known, clock)
        self._began = self._spoke = self._heard = self._limit = 0.0
        self._init: Init | None = None
        self._name, self._spent = "", ""
        self._said, self._ticked = "", ""
        self._second, self._lines, self._left_out = 0.0, 0, 0

    def say(self, text: str = "", style: str = "") -> None:
        """Print lines. Control characters in them are replaced."""
        self._spoke, self._said = self._clock(), text.strip().rpartition("\n")[2]
        if self.screen.shown == self._ticked:
            self.screen.unblock()
        self.screen.print(text, style)

    def header(self, title: str, facts: Mapping[str, str]) -> None:
        """Print the title of a run, and a line for each fact."""
        if self.quiet:
            return
        self.fit(title, BOLD)
        for name, fact in facts.items():
            self.fit(f"  {name:<9} {fact}", indent=12)

    def fit(self, text: str, style: str = "", indent: int = 5) -> None:
        """Print a line, broken at blanks on a terminal."""
        self.say(
            wrap(text, self.screen.columns, " " * indent) if self.screen.moves else text, style
        )

    def iteration(self, state: SessionState, ago: float = 0.0) -> None:
        """The heading of the pending iteration, which began some seconds ago."""
        if (begun := state.pending) is None:
            return
        self._heard = self._clock()
        self._began = self._heard - ago
        self._limit, self._child = begun.limit, ChildLines(self._known, self._clock)
        self._name, self._spent = f"{begun.n} {begun.phase}", money(state)
        if not self.quiet:
            head = f"{begun.n}: {step(begun.phase)}, {begun.model}"
            self.say()
            began = datetime.now() - timedelta(seconds=ago)
            self.fit(f"== Iteration {head}, {began:%H:%M}, {self._spent}", BOLD, 3)

    def event(self, event: Event | None) -> None:
        """Show an event of the child. None means that there is nothing new."""
        if self.quiet:
            return
        now = self._clock()
        if event is None:
            self._still(now)
            return
        self._heard = now
        if (init := Init.of(event)) and init != self._init:
            self._init = init
            self.fit("  " + introduced(init), DIM)
        for line in self._child.of(event):
            self._show(line, now)

    def _show(self, line: Shown, now: float) -> None:
        """Print a line of the child, at most MOST_LINES in a second."""
        if now - self._second >= 1:
            self._second, self._lines = now, 0
            self._say_left_out()
        self._lines += 1
        if self._lines > MOST_LINES:
            self._left_out += 1
        else:
            self.say(clip_indented(line.text, self.screen.columns), line.style)

    def _say_left_out(self) -> None:
        if self._left_out:
            self.say(f"    ({self._left_out} more lines are in the log)", DIM)
            self._left_out = 0

    def _still(self, now: float) -> None:
        """Update the moving line. On a pipe, say now and then that the child still runs."""
        if self.screen.here:
            self.screen.block(self.moving(now))
        elif now - self._spoke > self._patience:
            self.say(f"  ... still running, {span(now - self._began)}")

    def tick(self) -> None:
        """While the loop waits (for the API, SETUP, VERIFY), show its last line with a clock,
        unless something else moves."""
        waited = self._clock() - self._spoke
        if waited < 1 or self.quiet or not self.screen.here:
            return
        if self.screen.shown in ("", self._ticked):
            clock = f" · {watch(waited)}"
            self._ticked = clip(self._said, self.screen.columns - len(clock)) + clock
            self.screen.block(self._ticked)

    def moving(self, now: float) -> str:
        """Iteration, time so far, time left, silence, cost so far: as many as fit."""
        parts = [watch(now - self._began), f"{watch(self._limit - now + self._began)} left"]
        parts += [self._spent] if self._spent else []
        if (silent := now - self._heard) > SILENT:
            parts.insert(2, f"silent {watch(silent)}")
        line = self._name if self.screen.columns >= NARROW else self._name.partition(" ")[0]
        for part in parts:
            if width(line) + 3 + width(part) <= self.screen.columns:
                line += f" · {part}"
        return clip(line, self.screen.columns)

    def ended(self, line: Line) -> None:
        """How an iteration ended, from its history line."""
        self._say_left_out()
        self.screen.unblock()
        outcome, spent, files = line["outcome"], line.get("cost_usd"), line.get("files", 0)
        price = "cost unknown" if spent is None else f"{spent:.2f} USD"
        changed = f"{counted(files, 'file')} changed"
        next_phase = "" if outcome in LAST else f" -> {line['next']}"
        what = f"{in_words(outcome)}{next_phase} ({span(line['seconds'])}, {price}, {changed})"
        name = f"Iteration {self._name}: " if self.quiet else ""
        self.fit(f"-- {name}{what}", colour(outcome), 3)
        if left_over := line.get("left_over"):
            self.say(f"   ended what it left running: {', '.join(left_over)}")
        if outcome != "continue" and (note := line.get("note")):
            note = f"For the next iteration: {note}" if outcome not in LAST else note
            self.say("   " + note.replace("\n", "\n   "))


def colour(outcome: str) -> str:
    """Green where it went well, yellow where it waits or is tried again, red at a bad end."""
    if outcome in ("continue", "done"):
        return GREEN
    return RED if outcome in LAST and outcome not in ASKED else YELLOW


def clip_indented(text: str, columns: int) -> str:
    """A line of at most so many columns, indented as it was."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    return indent + clip(text, columns - len(indent))


def introduced(init: Init) -> str:
    """The facts of claude's init event, in a line."""
    other = f" (tested with {TESTED})" if init.version not in ("", TESTED) else ""
    source = init.key_source
    payer = "" if source == "none" else source  # the header says who pays
    facts = (
        f"model {init.model}" if init.model else "",
        f"permission mode {init.mode}" if init.mode else "",
        f"sandbox {'on' if init.sandbox else 'off'}",
        f"paid by {payer}" if payer else "",
    )
    return f"claude {init.version}".strip() + f"{other}: " + ", ".join(filter(None, facts))
