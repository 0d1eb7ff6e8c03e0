"""The human's part: questions wait here until each has an answer on record, from the file or from
the terminal."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

from samocode import approval, questions
from samocode.past import Asked
from samocode.session import QA, Session
from samocode.settled import Settled
from samocode.stop import StopRequest
from samocode.timing import Timing

Passed = Literal["open", "waiting", "stopped"]


@dataclass
class Gate:
    """Lets the loop pass when no question on record is open. Nothing runs and no token is spent
    while it waits."""

    session: Session
    stop: StopRequest
    timing: Timing
    say: Callable[[str], None]
    on_wait: Callable[[bool], None]
    """Called once when a wait begins, with whether answers can be typed here."""
    pause: bool = True
    """False: do not wait here, the caller ends with exit code 4."""
    yes: bool = False
    prompt: Callable[[str], None] = print
    """Like `say`, for the line that a person types in."""
    terminal: int | None = None
    """File descriptor of the terminal to read answers from, None without one."""
    _prompted: int = field(default=0, init=False)
    _typed: bytes = field(default=b"", init=False)

    def passes(self) -> Passed:
        """Collect answers, approvals and lapses until nothing is open; or say why not."""
        announced = False
        file = Settled(self.session.folder / QA, self.timing.settle)
        while True:
            if self.stop.requested:
                return "stopped"
            settled = file.settled()
            if settled:
                self._update()
                if not self.session.history.past.open:
                    return "open"
            if settled and not announced:
                self._forget_typed()
                self.on_wait(self.terminal is not None)
                announced = True
            if settled and not self.pause:
                return "waiting"
            self._listen() if announced else time.sleep(min(self.timing.poll, self.timing.settle))

    def _update(self) -> None:
        """Put on record what the file says, then let approvals follow, until that changes nothing
        more."""
        while True:
            self._collect()
            for line in approval.settle(self.session):
                self.say(line)
            approval.ask(self.session)
            if self.yes:
                self._say_yes()
            past = self.session.history.past
            if not past.approves_now and past.plan_to_ask is None:
                return

    def _collect(self) -> None:
        """Answers in the file that are new or changed go on record; questions or answers that
        vanished come back."""
        session = self.session
        session.clear_questions()
        document = session.read_questions()
        for number, asked in list(session.history.past.asked.items()):
            found = document.find(number)
            known = session.history.past.answers.get(number)
            if found and found.answer is not None and found.answer != known:
                self._record(asked, found.answer, "file")
        blocks = [session.recorded(document, n) for n in session.history.past.asked]
        missing = [b for b in blocks if _differs(document.find(b.id), b)]
        if missing:
            session.change_questions(lambda now: reduce(_put, missing, now))
            self.say(f"Put back in {QA}: {', '.join(f'Q{q.id}' for q in missing)}")

    def _record(self, asked: Asked, text: str, by: str) -> None:
        title, took = asked.question.title, None
        if asked.kind == "approval":
            took = "a yes" if questions.approves(text) else "a change request"
        # An approval taken back: what stands now was approved, and is the baseline from here on.
        code = self.session.code() if took and self.session.history.past.approved else None
        self.session.history.append(
            "answer",
            id=asked.id,
            text=text,
            by=by,
            took=took,
            head=code.head if code else None,
            dirty=dict(code.dirty) if code else None,
        )
        how = f"taken as {took}" if took else "answer"
        self.say(f"Q{asked.id}: {title}\n   {how} ({by}): {text.splitlines()[0][:200]}")

    def _answer(self, asked: Asked, text: str, by: str, mark: str | None = None) -> None:
        """An answer that did not come from the file: on record first, then into the file."""
        document = self.session.read_questions()
        block = document.find(asked.id) or asked.question
        answered = questions.answered(block, text, mark)
        self._record(asked, answered.answer or text, by)
        self.session.change_questions(lambda now: _put(now, answered))

    def _say_yes(self) -> None:
        """--yes: the suggestion stands for the answer, a plan is approved; what only a human can do
        stays open."""
        for asked in self.session.history.past.open:
            block = self.session.read_questions().find(asked.id)
            text = "approve" if asked.kind == "approval" else block.suggested if block else None
            if text and asked.kind != "action":
                self._answer(asked, text, "yes", "--yes")

    def _listen(self) -> None:
        """Wait a moment for a line at the terminal; without one, only wait."""
        past = self.session.history.past
        if self.terminal is None or not past.open or not _in_foreground(self.terminal):
            time.sleep(self.timing.poll)
            return
        asked = past.open[0]
        block = self.session.read_questions().find(asked.id) or asked.question
        if self._prompted != asked.id:
            self._prompted = asked.id
            self.prompt(f"Your answer to Q{asked.id} [{_hint(asked, block)}]: ")
        line = self._line(self.terminal)
        if line is None:
            return
        text = questions.meaning(line) or (
            block.suggested if not line.strip() and asked.kind == "qa" else None
        )
        if text and block.unconfirmed and questions.confirms(text):
            text = block.unconfirmed
        if text:
            self._answer(asked, text, "terminal")
            self._forget_typed()  # the rest of a paste is no answer to a question not yet shown
        self._prompted = 0

    def _forget_typed(self) -> None:
        """What was typed before the questions were shown answers none of them."""
        self._typed = b""
        if self.terminal is not None and _in_foreground(self.terminal):
            with contextlib.suppress(termios.error):
                termios.tcflush(self.terminal, termios.TCIFLUSH)

    def _line(self, terminal: int) -> str | None:
        """One whole line typed at the terminal, None when there is none yet."""
        ready, _, _ = select.select([terminal], [], [], self.timing.poll)
        if ready:
            data = os.read(terminal, 65536)
            if not data:  # end of input: the file is still watched
                self.terminal = None
            self._typed += data
        line, newline, rest = self._typed.partition(b"\n")
        if not newline:
            return None
        self._typed = rest
        return line.decode("utf-8", "replace").strip("\r")


def _hint(asked: Asked, block: questions.Question) -> str:
    if asked.kind == "approval":
        return "yes, or what to change"
    if asked.kind == "qa" and block.suggested:
        return f"Enter: {block.suggested}"
    return (
        "type it when it is done, or what stands in the way" if asked.kind == "action" else "text"
    )


def _differs(found: questions.Question | None, wanted: questions.Question) -> bool:
    return found is None or found.answer != wanted.answer


def _put(document: questions.Document, question: questions.Question) -> questions.Document:
    """The document with this block in the place of the one with its number, or at the end."""
    if document.find(question.id) is None:
        return questions.appended(document, question)
    blocks = tuple(question if q.id == question.id else q for q in document.questions)
    return questions.Document(document.preamble, blocks)


def terminal() -> int | None:
    """The descriptor of the terminal a person can type at, None when the loop runs without one."""
    return sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None


def _in_foreground(terminal: int) -> bool:
    """Reading from the terminal in the background would stop the whole loop (SIGTTIN)."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
