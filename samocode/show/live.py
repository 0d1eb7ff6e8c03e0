"""The live view: lines while a child works, and the outcome of each iteration."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TextIO, final

from samocode.child.command import TESTED
from samocode.child.stream import Event, Init, RunResult, content
from samocode.decide.facts import Decision
from samocode.decide.money import cost
from samocode.record.state import SessionState
from samocode.record.untrusted import mapping
from samocode.show.text import clip, money, printable, span

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


@final
class View:
    """Prints to `out`. A closed pipe does not stop the loop. `quiet` is the time in seconds after
    which a silent child is reported as still running. The folders in `known` are omitted from
    paths."""

    def __init__(
        self, out: TextIO | None = None, quiet: float = 300.0, known: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.out, self.quiet, self.known, self.clock = out or sys.stdout, quiet, known, clock
        self._began = self._spoke = 0.0
        self._init: Init | None = None

    def say(self, text: str = "") -> None:
        """Print one or more lines."""
        self._spoke = self.clock()
        self.prompt(text + "\n")

    def prompt(self, text: str) -> None:
        """Print the start of a line that the user completes."""
        try:
            self.out.write(printable(text))
            self.out.flush()
        except OSError:  # a closed pipe; Python must not fail on it at exit
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.out.fileno())

    def iteration(self, state: SessionState, limit: float) -> None:
        """Print the heading of an iteration."""
        self._began = self.clock()
        head = f"{state.iteration + 1} {state.phase} ({datetime.now():%H:%M}, limit {span(limit)}"
        self.say(f"\n== {head}, {money(state)})")

    def event(self, event: Event | None) -> None:
        """Print what the child does. None reports a silent child as still running."""
        if event is None:
            if self.clock() - self._spoke > self.quiet:
                self.say(f"   ... still running, {span(self.clock() - self._began)}")
            return
        if (init := Init.of(event)) and init != self._init:
            self._init = init
            self.say("   " + introduced(init))
        for line in describe(event):
            for folder in self.known:
                line = line.replace(f"{folder}/", "")
            self.say("   " + clip(line))

    def ended(self, decision: Decision, run: RunResult) -> None:
        """Print the outcome of an iteration."""
        spent = cost(run)
        price = "cost unknown" if spent is None else f"{spent:.2f} USD"
        onward = f" -> {decision.next}" if _goes_on(decision) else ""
        outcome = decision.outcome.replace("_", " ")
        self.say(f"-- {outcome}{onward} ({span(run.seconds)}, {price})")
        if run.left_over:
            self.say(f"   ended what it left running: {', '.join(run.left_over)}")
        if decision.note.strip() and decision.outcome != "continue":
            self.say("   " + decision.note.strip().replace("\n", "\n   "))


def introduced(init: Init) -> str:
    """Summarize the init event in one line."""
    other = f" (tested with {TESTED})" if init.version not in ("", TESTED) else ""
    source = init.key_source
    payer = "a login or cloud account, if there is one" if source == "none" else source
    facts = (
        f"model {init.model}" if init.model else "",
        f"permission mode {init.mode}" if init.mode else "",
        f"sandbox {'on' if init.sandbox else 'off'}",
        f"paid by {payer}" if payer else "",
    )
    return f"claude {init.version}".strip() + f"{other}: " + ", ".join(filter(None, facts))


def _goes_on(decision: Decision) -> bool:
    return decision.stop is None and decision.outcome != "waiting"


def describe(event: Event) -> list[str]:
    """Return one line per text, tool call, denial or retry in an event."""
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


def _block(block: Mapping[str, Any]) -> str:
    """Return the line for one content block, or an empty string."""
    if block.get("type") == "text":
        lines = str(block.get("text", "")).strip().splitlines()
        return lines[0] if lines else ""
    if block.get("type") != "tool_use":
        return ""
    given = mapping(block.get("input"))
    shown = next((str(given[key]) for key in TOOL_INPUTS if given.get(key)), "")
    return f"{block.get('name')}: {' '.join(shown.split())}"
