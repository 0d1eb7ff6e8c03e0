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
from samocode.questions import Question
from samocode.session import QA, Session
from samocode.settled import Settled
from samocode.stop import StopRequest
from samocode.timing import Timing

Passed = Literal["open", "waiting", "stopped"]
PASTE = 0.2  # seconds without a byte after which a paste is over


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
    _seen: dict[int, Question] = field(default_factory=dict[int, Question], init=False)
    """The blocks as they stood at the last look."""

    def passes(self) -> Passed:
        """Collect answers, approvals and lapses until nothing is open; or say why not."""
        announced: set[int] = set()
        file = Settled(self.session.folder / QA, self.timing.settle)
        while True:
            if self.stop.requested:
                return "stopped"
            settled = file.settled()
            if settled:
                self._update()
                if not self.session.history.past.open:
                    return "open"
            now = {q.id for q in self.session.history.past.open}
            if settled and now - announced:  # what opened while one waited is announced as well
                self._forget_typed()
                self.on_wait(self.terminal is not None)
                announced |= now
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
        document = session.change_questions(self._as_asked)
        for number, asked in list(session.history.past.asked.items()):
            if found := document.find(number):
                self._read(asked, found)
        past = session.history.past
        begun = {q.id for q in past.open if (b := document.find(q.id)) and b.answer is not None}
        blocks = [session.recorded(document, n) for n in past.asked if n not in begun]
        missing = [b for b in blocks if _differs(document.find(b.id), b)]
        if missing:
            document = session.change_questions(lambda now: reduce(_put, missing, now))
            self.say(f"Put back in {QA}: {', '.join(f'Q{q.id}' for q in missing)}")
        self._seen = {question.id: question for question in document.questions}

    def _read(self, asked: Asked, found: Question) -> None:
        """What the file says of one question: a new or another answer, one struck out, or words in
        a place where none are looked for."""
        past, before = self.session.history.past, self._seen.get(asked.id, asked.question)
        changed = found.text.split() != before.text.split()
        stood = asked.id in past.in_file or before.answer is not None
        if found.answer is None and asked.id in past.answers and stood:
            self.session.history.append("reopened", id=asked.id)
            self.say(f"Q{asked.id}: its answer was struck out, so it is open again.")
        elif found.answer is None and changed and not found.unconfirmed:
            self.say(f"Q{asked.id} was changed, but nothing stands after its `Answer:`.")
        elif found.answer is not None and found.answer != past.answers.get(asked.id):
            if asked.id in past.answers or not _awaits_rest(asked, found):
                self._record(asked, found.answer, "file")
            elif changed:
                self.say(f"Q{asked.id}: waiting for the rest of: {found.answer[-60:]}")

    def _as_asked(self, document: questions.Document) -> questions.Document:
        """The file with the questions on record and no others, each with its line `Answer:`. No
        child runs here: another heading stands in an answer, or somebody wrote over the label."""
        asked = {n: a.question for n, a in self.session.history.past.asked.items()}
        whole = questions.joined(document, asked)
        return questions.Document(whole.preamble, tuple(map(questions.with_label, whole.questions)))

    def _record(self, asked: Asked, text: str, by: str) -> None:
        title, took = asked.question.title, None
        if asked.id == self.session.history.past.approval_id:
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
        stays open, and what a human took back."""
        for asked in self.session.history.past.open:
            block = self.session.read_questions().find(asked.id)
            text = "approve" if asked.kind == "approval" else block.suggested if block else None
            theirs = asked.kind == "action" or asked.id in self.session.history.past.reopened
            if text and not theirs:
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
        block = self.session.read_questions().find(asked.id) or asked.question
        if block.answer is not None and not _awaits_rest(asked, block):  # it has yet to settle
            self.say(f"   Q{asked.id} is answered in {QA} meanwhile: that counts.")
            self._prompted = 0
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
        if b"\n" not in self._typed:
            return None
        typed, self._typed = self._typed + _pasted(terminal), b""
        return typed.decode("utf-8", "replace").replace("\r", "").strip("\n")


def _pasted(terminal: int) -> bytes:
    """What a paste brought after its first line is part of one answer: "yes" may have a "but"
    below it. A last line without Enter is given out only by a terminal that does not wait for
    Enter."""
    more = b""
    with contextlib.suppress(termios.error):
        found = termios.tcgetattr(terminal)
        eager = [*found[:3], found[3] & ~termios.ICANON, *found[4:]]
        termios.tcsetattr(terminal, termios.TCSANOW, eager)
        try:
            while select.select([terminal], [], [], PASTE)[0] and (
                data := os.read(terminal, 65536)
            ):
                more += data
        finally:
            termios.tcsetattr(terminal, termios.TCSANOW, found)
    return more


def _hint(asked: Asked, block: Question) -> str:
    if asked.kind == "approval":
        return "yes, or what to change"
    if asked.kind == "qa" and block.suggested:
        return f"Enter: {block.suggested}"
    return (
        "type it when it is done, or what stands in the way" if asked.kind == "action" else "text"
    )


def _awaits_rest(asked: Asked, found: Question) -> bool:
    return asked.kind == "approval" and questions.unfinished(found.answer or "")


def _differs(found: Question | None, wanted: Question) -> bool:
    return found is None or found.answer != wanted.answer


def _put(document: questions.Document, question: Question) -> questions.Document:
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
