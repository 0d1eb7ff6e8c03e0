"""What people answered, as answers for the gate. Used by the loop's thread, but for `late` and
`back`."""

from __future__ import annotations

from pathlib import Path
from typing import final

from samocode.gate.gate import Said
from samocode.pages.answers import Added
from samocode.pages.meaning import taken
from samocode.record.state import CHANGE, Question
from samocode.telegram.board import Board, Owner
from samocode.telegram.cards import chosen, press, understood
from samocode.telegram.outbox import Outbox
from samocode.telegram.routing import HELP
from samocode.telegram.spool import Spool
from samocode.telegram.text import TOAST, below, short
from samocode.telegram.updates import Heard

CHANGED = "It has changed since. Here is what is asked now."


@final
class Replies:
    """The answers to one session's questions."""

    def __init__(self, owner: Owner, spool: Spool, outbox: Outbox, board: Board) -> None:
        self._owner, self._spool, self._outbox, self._board = owner, spool, outbox, board
        self._current: tuple[Path, Heard] | None = None

    def next(self) -> Said | None:
        """The next answer, or None. `done` must follow."""
        for path, heard in self._spool.inbox(self._owner.key, "answer"):
            self._board.close()  # for what is said of answered questions
            said = self._pressed(heard) if heard.press else self._wrote(heard)
            if isinstance(said, Said):
                self._current = path, heard
                return said
            path.unlink(missing_ok=True)
            self.back(heard, said)
        return None

    def done(self, question: Question) -> None:
        """The question is answered, which the board confirms, or that was no answer."""
        if self._current:
            (path, heard), self._current = self._current, None
            path.unlink(missing_ok=True)
            if self._open(question.id):
                self.back(heard, "That is no answer yet. Write it out.")
                return
            known = understood(self._owner.session.state, question)
            self.back(heard, known if heard.press else "")
            self._board.adopt(question, heard.reply_to or heard.message)

    def _pressed(self, heard: Heard) -> Said | str:
        """The answer of a button, or what to say instead."""
        found = press(heard.data)
        question = self._open(found.question) if found else None
        if found is None or question is None:
            self._board.unbutton(lambda: heard.message)
            return self.late(found.question if found else 0)
        if found.digest != self._board.card(question).digest:
            self._board.show(question)
            return CHANGED
        if question.kind == "approval" and found.choice == "B":
            self._ask_change(question, found.digest)
            return "Write what to change."
        added = chosen(question, found.choice)
        return Said(question, added) if added else self.late(question.id)

    def _wrote(self, heard: Heard) -> Said | str:
        """The answer in a text: to the message that it replies to, else to the one that is shown
        and was there before it."""
        seen = self._board.seen_before(heard.message)
        if not heard.question and len(seen) != 1:
            return "Reply to the question that you mean." if seen else HELP
        number, digest = heard.question, heard.digest
        if not number:
            ((number, digest),) = seen.items()
        question = self._open(number)
        if question is None:
            return self.late(number)
        added = Added(heard.text)
        fits = digest == self._board.card(question).digest
        if not fits and taken(question, added) != CHANGE:
            self._board.show(question)
            return CHANGED
        return Said(question, added)

    def _open(self, number: int) -> Question | None:
        open_now = self._owner.session.state.open
        return next((question for question in open_now if question.id == number), None)

    def late(self, number: int) -> str:
        """What to say to an answer that is not needed."""
        if not number:
            return HELP
        known = self._board.closed.get(number)
        return f"Answered already. {known}" if known else f"Q{number} is not open any more."

    def _ask_change(self, question: Question, digest: str) -> None:
        def arrived(message: int) -> None:
            self._board.remember(message, question.id, digest)

        words = f"{self._owner.name} · Q{question.id}: what should change? Reply to this message."
        self._outbox.text(words, arrived=arrived, reply_markup={"force_reply": True})

    def back(self, heard: Heard, text: str) -> None:
        """Reply to a person. A press must be answered, also with nothing."""
        if heard.press:
            words = {"text": short(text, TOAST)} if text else {}
            self._outbox.call("answerCallbackQuery", callback_query_id=heard.press, **words)
        elif text:
            self._outbox.text(f"{self._owner.name} · {text}", reply_parameters=below(heard.message))
