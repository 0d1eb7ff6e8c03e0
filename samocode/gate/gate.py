"""The gate: the loop waits here until every question has a recorded answer. The next child learns
about answers from the `notes` of their history lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final

from samocode import task
from samocode.child.shutdown import Shutdown
from samocode.gate import approval
from samocode.gate.answers import Answers
from samocode.pages.answers import Added
from samocode.record.exits import ExitCode, Stop
from samocode.record.state import Question
from samocode.session import Session
from samocode.settings.timeouts import Timeouts

LOOKS = 20  # how often a page that is being written is checked within the settle time


class Terminal(Protocol):
    """Where a person can type an answer (samocode/terminal)."""

    @property
    def here(self) -> bool:
        """Whether a person can type here now."""
        ...

    def ask(self, question: Question, hint: str) -> str | None:
        """Return an answer typed for this question, or None if none came within a moment."""
        ...

    def forget(self) -> None:
        """Drop typed input that was not read yet, so that it cannot answer a later question."""
        ...

    def rest(self) -> None:
        """The wait is over: restore the terminal."""
        ...


class Phone(Protocol):
    """Where a person can answer from a phone (samocode/telegram)."""

    def turn(self, take: Callable[[Question, Added], None]) -> bool:
        """Pass the next answer to `take`, or send the open questions. Return whether there was an
        answer."""
        ...

    def rest(self) -> None:
        """The wait is over."""
        ...


@final
class Gate:
    """Waits until no question is open. Nothing runs and nothing is spent meanwhile."""

    def __init__(
        self,
        session: Session,
        answers: Answers,
        shutdown: Shutdown,
        timeouts: Timeouts,
        announce: Callable[[bool], None],
        *,
        may_wait: bool = True,
        yes: bool = False,
        terminal: Terminal | None = None,
        phone: Phone | None = None,
    ) -> None:
        """`announce` shows the open questions; its argument says whether answers can be typed.
        Without `may_wait` the gate stops instead of waiting. With `yes` it answers by itself."""
        self._session, self._answers = session, answers
        self._shutdown, self._timeouts = shutdown, timeouts
        self._announce, self._terminal, self._phone = announce, terminal, phone
        self._may_wait, self._yes = may_wait, yes
        self._file, self._task = answers.page.file, task.page_file(session, answers.say)

    def wait(self) -> Stop | None:
        """Wait until no question is open. Return a Stop if the loop must end here."""
        try:
            return self._wait()
        finally:
            if self._terminal:
                self._terminal.rest()
            if self._phone:
                self._phone.rest()

    def _wait(self) -> Stop | None:
        announced: set[int] = set()
        while True:
            if stop := self._shutdown.stop:
                return stop
            whole = [page.settled(self._timeouts.settle) for page in (self._file, self._task)]
            settled = all(whole) and self._update()
            state = self._session.state
            if settled and not state.open:
                return None
            if settled and self._phone and self._phone.turn(self._take):
                continue
            now = {q.id for q in state.open}
            if settled and now - announced:  # questions may also open during the wait
                if self._terminal:
                    self._terminal.forget()
                self._announce(self._terminal is not None and self._terminal.here)
                announced |= now
            if settled and not self._may_wait:
                return Stop(ExitCode.WAITING)
            if settled:
                self._listen(bool(announced))
            else:
                self._shutdown.wait(self._timeouts.settle / LOOKS)

    def _update(self) -> bool:
        """Record what the pages say and update approvals, until nothing changes. Return False if a
        person saved meanwhile, so that the page must settle again."""
        self._answers.collect()
        task.take_inbox(self._session, self._answers.say)
        task.collect(self._session, self._task, self._answers.say)
        while True:
            for line in approval.settle(self._session):
                self._answers.say(line)
            approval.ask(self._session)
            if self._yes:
                self._answers.say_yes()
            state = self._session.state
            if not state.approves_now and state.plan_to_ask is None:
                break
        return self._answers.print()

    def _listen(self, announced: bool) -> None:
        """Wait for a typed answer, or sleep if there is no terminal or nothing to answer."""
        if self._terminal is None or not announced or not self._session.state.open:
            self._shutdown.wait(self._timeouts.poll)
            return
        question = self._session.state.open[0]
        line = self._terminal.ask(question, _hint(question))
        if line is None:
            return
        self._page_first()
        if self._answers.take_line(question, line):
            self._terminal.forget()  # the rest of a paste must not answer the next question

    def _take(self, question: Question, added: Added) -> None:
        """Record an answer from the phone, unless the page has an earlier one."""
        self._page_first()
        if question in self._session.state.open:
            self._answers.take(question, added, "telegram")

    def _page_first(self) -> None:
        """Record an answer that was saved on the page earlier."""
        while self._file.changed() and not self._shutdown.requested:
            if self._file.settled(self._timeouts.settle):
                self._answers.collect()
            else:
                self._shutdown.wait(self._timeouts.settle / LOOKS)


def _hint(question: Question) -> str:
    if question.kind == "approval":
        return "yes, or what to change; p: the plan"
    if question.kind == "qa":
        return f"Enter: {question.suggested}"
    return "answer when it is done, or say what prevents it"
