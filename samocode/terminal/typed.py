"""Reads answers that a person types at the terminal, one question at a time."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, final

from samocode.record.state import Question
from samocode.terminal.editor import Editor
from samocode.terminal.mode import Mode, in_foreground

PASTE = 0.2  # seconds without a byte after which a paste is over
MOST_READ = 1 << 20  # bytes that are read before the files are looked at again
BEFORE, BEHIND = 3000, 1000  # characters around the cursor that are shown
MOST_HINT = 60  # characters
HELP = """\
A letter takes its option. Anything else is your answer in your own words.{enter}
A line that ends in \\ continues on the next line. A paste may have several lines.{plan}
Ctrl-D on an empty line hides this prompt, Ctrl-C stops the loop.
You may also answer in {where}"""
AWAY = """\
Ctrl-D hid the prompt. Enter shows it again, Ctrl-C stops the loop.
You may also answer in {where}"""


class Screen(Protocol):
    """What a prompt is shown on (samocode/show/screen.py)."""

    @property
    def rows(self) -> int:
        """How high the terminal is."""
        ...

    def block(self, text: str, cursor: int = 0) -> None:
        """Show text below all lines, with the cursor before character number `cursor`."""
        ...

    def unblock(self) -> None:
        """Remove that text."""
        ...

    def leave(self) -> None:
        """Leave that text on the screen as a line."""
        ...

    def begin(self, text: str) -> None:
        """Print the beginning of a line."""
        ...

    def brackets(self, on: bool) -> None:
        """Ask the terminal to mark pastes, or not to."""
        ...


class Room(NamedTuple):
    """What TypedAnswers needs from the view and the session."""

    screen: Screen
    moves: bool
    """Whether the screen can show a block."""
    say: Callable[[str], None]
    show: Callable[[int], None]
    """Shows the question of this number."""
    plan: Callable[[str], str | None]
    """The text of a plan by its name."""
    where: str
    """The file that takes answers, too."""


@final
class TypedAnswers:
    """Prompts for one question at a time and returns whole answers."""

    def __init__(self, descriptor: int, room: Room, poll: float) -> None:
        """`poll` is the longest wait in seconds."""
        self._descriptor, self._room, self._poll = descriptor, room, poll
        self._mode = Mode(descriptor, not room.moves, room.screen.brackets)
        self._editor = Editor()
        self._open, self._away, self._prompted = True, False, False
        self._dropped = False  # a half-typed answer to the last question, and its Enter may follow
        self._number = 0  # of the question that the prompt shows
        self._pages: list[str] = []  # the rest of a plan that is paged

    @property
    def here(self) -> bool:
        """Whether a person can type here now."""
        return self._open and in_foreground(self._descriptor)

    def ask(self, question: Question, hint: str) -> str | None:
        """Return the answer typed for this question. None if there is none within `poll` seconds,
        or nobody can type here now."""
        if not self.here:
            self._mode.leave()
            time.sleep(self._poll)
            return None
        if self._number != question.id:
            self._turn_to(question.id)
        if self._mode.enter():  # first, or after Ctrl-Z: draw the prompt anew
            self._room.screen.leave()
            self._prompted = False
        self._prompt(hint)
        self._read()
        if self._editor.entered and not self._pages and not self._away:
            return self._finished(question, hint)
        return None

    def forget(self) -> None:
        """Drop keys that were not read yet, so that they do not answer the next question."""
        self._mode.flush()

    def rest(self) -> None:
        """Stop asking, and restore the terminal."""
        self._turn_to(0)
        self._mode.leave()

    def _turn_to(self, number: int) -> None:
        """Switch to another question, and drop a half-typed answer to the last one."""
        self._room.screen.unblock()
        self._dropped = bool(self._editor.text.strip())
        if self._dropped:
            self._room.say(f"   What you had typed for Q{self._number} was dropped.")
        self._editor.clear()
        self._pages, self._away, self._prompted = [], False, False
        self._number = number
        if number:
            self._room.show(number)

    def _prompt(self, hint: str) -> None:
        """Show the prompt with what is typed so far."""
        short = hint if len(hint) <= MOST_HINT else hint[: MOST_HINT - 3] + "..."
        prompt = f"Your answer to Q{self._number} [{short}; ?: help]: "
        if self._pages:
            prompt = f"-- {len(self._pages)} more lines of the plan: Enter shows them, q ends --"
        text, cursor = self._editor.text, self._editor.cursor
        start = max(0, cursor - BEFORE)
        shown = ("..." if start else "") + text[start : cursor + BEHIND]
        if self._away:
            self._room.screen.unblock()
        elif self._room.moves:
            behind = len(shown) - len(text[cursor : cursor + BEHIND])
            self._room.screen.block(prompt + shown, len(prompt) + behind)
        elif not self._prompted:
            self._room.screen.begin(prompt)
        self._prompted = True

    def _read(self) -> None:
        """Read what was typed. If nothing was, wait at most `poll` seconds."""
        wait, total = self._poll, 0
        while total < MOST_READ and select.select([self._descriptor], [], [], wait)[0]:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:  # the terminal is gone
                data = b""
            if not data:  # end of input: answers still come from the file
                self._open = False
                self._mode.leave()
                return
            total += len(data)
            if self._away or self._pages:
                self._command(data)
                return
            self._editor.feed(data)
            # a pasted "yes" may continue below, and Esc may begin a key
            wait = PASTE if self._editor.entered or self._editor.escaped else 0.0
        if self._editor.escaped:
            self._editor.escape()
        if self._editor.ended:
            self._editor.clear()
            self._away = True
            self._room.screen.unblock()
            self._room.say(AWAY.format(where=self._room.where))

    def _command(self, keys: bytes) -> None:
        """Handle a key while the prompt is hidden, or a plan is paged."""
        if self._away:
            self._away = b"\n" not in keys
        elif keys[:1] in (b"\r", b"\n", b" "):
            self._page()
        else:
            self._pages = []
            if keys[:1] not in (b"q", b"\x04") and keys != b"\x1b":
                self._editor.feed(keys)  # an answer begins
        self._prompted = False

    def _page(self) -> None:
        """Show as much of the plan as fits on the terminal."""
        most = max(self._room.screen.rows - 3, 5)
        page, self._pages = self._pages[:most], self._pages[most:]
        self._room.screen.unblock()
        self._room.say("\n".join(page))

    def _finished(self, question: Question, hint: str) -> str | None:
        """Return what was entered as an answer. None if it asked for help or the plan, or if it is
        empty and nothing is suggested, or may have been meant for the last question."""
        self._editor.finish()
        self._prompt(hint)
        self._room.screen.leave()
        text, self._prompted = self._editor.text, False
        self._editor.clear()
        dropped, self._dropped = self._dropped, False
        if dropped and not text.strip():
            self._room.say("   The question has changed. Press Enter again to take the suggestion.")
            return None
        if text.strip() == "?":
            enter = " Enter alone takes the suggestion." if question.suggested else ""
            plan = "\np shows the plan, page by page." if question.plan else ""
            self._room.say(HELP.format(enter=enter, plan=plan, where=self._room.where))
            return None
        if text.strip().lower() == "p" and question.plan:
            whole = self._room.plan(question.plan)
            self._pages = (whole or "The plan is gone.").splitlines() or ["The plan is empty."]
            self._page()
            return None
        if not text.strip() and not question.suggested:
            self._room.say(f"   Enter alone is not an answer here: {hint}.")
            return None
        return text
