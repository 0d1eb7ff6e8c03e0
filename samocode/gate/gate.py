"""The human's part: questions wait here until each has an answer on record, from the file or from
somewhere else. The next child learns of an answer by the `notes` of its history line."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import reduce
from typing import Protocol, final

from samocode.child.shutdown import Shutdown
from samocode.gate import approval
from samocode.pages import questions
from samocode.pages.names import QA
from samocode.pages.protect import joined
from samocode.pages.qa_file import recorded
from samocode.pages.questions import Document, Question
from samocode.pages.settled import Settled
from samocode.record.exits import ExitCode, Stop
from samocode.record.state import APPROVE, CHANGE, Asked
from samocode.session import Session, code_of
from samocode.settings.timeouts import Timeouts


class Terminal(Protocol):
    """A place where a person can type an answer (samocode/terminal)."""

    def ask(self, number: int, hint: str) -> str | None:
        """A line typed for this question; None when none came within a moment."""
        ...

    def forget(self) -> None:
        """Drop what was typed so far: it answers nothing that is shown from now on."""
        ...


@final
class Gate:
    """Lets the loop pass when no question on record is open. Nothing runs and no token is spent
    while it waits."""

    def __init__(
        self,
        session: Session,
        shutdown: Shutdown,
        timeouts: Timeouts,
        say: Callable[[str], None],
        announce: Callable[[bool], None],
        *,
        may_wait: bool = True,
        yes: bool = False,
        terminal: Terminal | None = None,
    ) -> None:
        """`announce` shows what opened when a wait begins, given whether answers can be typed here.
        Without `may_wait` the gate stops in place of a wait; with `yes` suggestions are answers."""
        self._session, self._shutdown, self._timeouts = session, shutdown, timeouts
        self._say, self._announce, self._terminal = say, announce, terminal
        self._may_wait, self._yes = may_wait, yes
        self._seen: dict[int, Question] = {}  # the blocks as they were at the last look

    def wait(self) -> Stop | None:
        """Collect answers, approvals and lapses until nothing is open; or why to stop here."""
        announced: set[int] = set()
        file = Settled(self._session.qa.path, self._timeouts.settle)
        while True:
            if stop := self._shutdown.stop:
                return stop
            settled = file.settled()
            if settled:
                self._update()
                if not self._session.state.open:
                    return None
            now = {q.id for q in self._session.state.open}
            if settled and now - announced:  # questions may open during the wait, too
                if self._terminal:
                    self._terminal.forget()
                self._announce(self._terminal is not None)
                announced |= now
            if settled and not self._may_wait:
                return Stop(ExitCode.WAITING)
            self._listen(bool(announced))

    def take(self, asked: Asked, text: str, by: str, mark: str | None = None) -> None:
        """An answer that did not come from the file: on record first, then into the file. `mark` is
        put above it there, in place of the human's hand."""
        block = self._session.qa.read().find(asked.id) or questions.as_asked(asked)
        answered = questions.answered(block, text, mark)
        self._record(asked, answered.answer or text, by)
        self._session.qa.change(lambda now: _put(now, answered))

    def _update(self) -> None:
        """Record what the file says, then let approvals follow, until nothing more changes."""
        while True:
            self._collect()
            for line in approval.settle(self._session):
                self._say(line)
            approval.ask(self._session)
            if self._yes:
                self._say_yes()
            state = self._session.state
            if not state.approves_now and state.plan_to_ask is None:
                return

    def _collect(self) -> None:
        """Record the answers in the file that are new or changed; put back what vanished from
        it."""
        session, state = self._session, self._session.state
        session.qa.clear()
        document = session.qa.change(self._as_asked)
        for number, asked in list(state.asked.items()):
            if found := document.find(number):
                self._read(asked, found)
        begun = {q.id for q in state.open if (b := document.find(q.id)) and b.answer is not None}
        blocks = [recorded(state, document, n) for n in state.asked if n not in begun]
        missing = [b for b in blocks if _differs(document.find(b.id), b)]
        if missing:
            document = session.qa.change(lambda now: reduce(_put, missing, now))
            self._say(f"Put back in {QA}: {', '.join(f'Q{q.id}' for q in missing)}")
        self._seen = {question.id: question for question in document.questions}

    def _read(self, asked: Asked, found: Question) -> None:
        """What the file says of one question: a new or another answer, one struck out, or words
        outside its `Answer:`."""
        state = self._session.state
        before = self._seen.get(asked.id) or questions.as_asked(asked)
        changed = found.text.split() != before.text.split()
        stood = state.in_file(asked.id) or before.answer is not None
        if found.answer is None and asked.id in state.answers and stood:
            self._session.history.append("reopened", id=asked.id)
            self._say(f"Q{asked.id}: its answer was struck out, so it is open again.")
        elif found.answer is None and changed and not found.unconfirmed:
            self._say(f"Q{asked.id} was changed, but nothing stands after its `Answer:`.")
        elif found.answer is not None and found.answer != state.answers.get(asked.id):
            if asked.id in state.answers or not _awaits_rest(asked, found):
                self._record(asked, found.answer, "file")
            elif changed:
                self._say(f"Q{asked.id}: waiting for the rest of: {found.answer[-60:]}")

    def _as_asked(self, document: Document) -> Document:
        """The file with the questions on record and no others, each with its line `Answer:`. No
        child runs here: another heading is part of an answer, or somebody wrote over the label."""
        asked = {n: questions.as_asked(a) for n, a in self._session.state.asked.items()}
        whole = joined(document, asked)
        return Document(whole.preamble, tuple(map(questions.with_label, whole.questions)))

    def _record(self, asked: Asked, text: str, by: str) -> None:
        """One `answer` line, with all that it means: what it was taken as, the phase that follows,
        what the next child is told."""
        state, took, onward, code = self._session.state, None, None, None
        if asked.kind != "approval":
            changed = asked.id in state.answers
            note = f"The human changed the answer to Q{asked.id}." if changed else None
            note = note or f"Q{asked.id} is answered in {QA}."
        elif asked.id != state.approval_id:
            old = f"Q{asked.id}, an old question on {asked.plan}"
            note = f"The human now says to {old}: {text}"
        elif questions.approves(text):
            note, took = None, APPROVE
        else:
            note = f"The human did not approve the plan {asked.plan} and wants this change: {text}"
            took, onward = CHANGE, "planning"
        if took and state.approved:  # taken back: what is there now was approved, a new baseline
            code = self._session.status()
        self._session.history.append(
            "answer", id=asked.id, text=text, by=by, took=took, next=onward,
            notes=[note] if note else None, **code_of(code),
        )  # fmt: skip
        words = {APPROVE: "taken as a yes", CHANGE: "taken as a change request", None: "answer"}
        title = questions.as_asked(asked).title
        self._say(f"Q{asked.id}: {title}\n   {words[took]} ({by}): {text.splitlines()[0][:200]}")

    def _say_yes(self) -> None:
        """--yes: the suggestion is the answer, a plan is approved; what only a human can do stays
        open, and what a human took back."""
        for asked in self._session.state.open:
            block = self._session.qa.read().find(asked.id)
            text = "approve" if asked.kind == "approval" else block.suggested if block else None
            theirs = asked.kind == "action" or asked.id in self._session.state.reopened
            if text and not theirs:
                self.take(asked, text, "yes", "--yes")

    def _listen(self, announced: bool) -> None:
        """Wait a moment for a line at the terminal; without one, only wait."""
        if self._terminal is None or not announced or not self._session.state.open:
            times = self._timeouts
            time.sleep(times.poll if announced else min(times.poll, times.settle))
            return
        asked = self._session.state.open[0]
        block = self._session.qa.read().find(asked.id) or questions.as_asked(asked)
        line = self._terminal.ask(asked.id, _hint(asked, block))
        if line is not None:
            self._take_line(self._terminal, asked, line)

    def _take_line(self, terminal: Terminal, asked: Asked, line: str) -> None:
        block = self._session.qa.read().find(asked.id) or questions.as_asked(asked)
        if block.answer is not None and not _awaits_rest(asked, block):  # it has yet to settle
            self._say(f"   Q{asked.id} is answered in {QA} meanwhile: that counts.")
            return
        text = questions.meaning(line)
        if not line.strip() and asked.kind == "qa":
            text = block.suggested
        if text and block.unconfirmed and questions.confirms(text):
            text = block.unconfirmed
        if text:
            self.take(asked, text, "terminal")
            terminal.forget()  # the rest of a paste answers no question that is not shown yet


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


def _put(document: Document, question: Question) -> Document:
    """The document with this block in the place of the one with its number, or at the end."""
    if document.find(question.id) is None:
        return questions.appended(document, question)
    blocks = tuple(question if q.id == question.id else q for q in document.questions)
    return Document(document.preamble, blocks)
