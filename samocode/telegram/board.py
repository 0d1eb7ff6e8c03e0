"""The questions that the phone shows: sent, replaced and closed. Used by the loop's thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, final

from samocode.gate.approval import plan_text
from samocode.record.state import Question
from samocode.record.words import short_name
from samocode.session import Session
from samocode.telegram.bot import Request
from samocode.telegram.cards import Card, card, keyboard, understood
from samocode.telegram.outbox import Letter, Outbox
from samocode.telegram.spool import Sent, Spool
from samocode.telegram.text import CAPTION, LIMIT, NO_PREVIEW, below, fit

HINT = "\n\nOr reply to this message in your own words."
LATER = "\n\nReply to this message. The answer counts at the next start."

LONG = 3600.0  # seconds that a closed question is tried to be closed on the phone, too


class Owner(NamedTuple):
    """A session, and its key in the shared folder."""

    session: Session
    key: str

    @property
    def name(self) -> str:
        return short_name(self.session.name)


class Shown:
    """A question on the phone. The sending thread sets `message`."""

    def __init__(self, question: Question, card: Card, found: str | None) -> None:
        self.question, self.card, self.found = question, card, found
        self.message = 0
        """Its message id, 0 until it arrived."""
        self.over = False
        """It need not be sent any more."""


@final
class Board:
    """Shows one question at a time. Without `buttons` all at once, for a loop that does not wait
    for the answers."""

    def __init__(self, owner: Owner, spool: Spool, outbox: Outbox, buttons: bool) -> None:
        self._owner, self._spool, self._outbox = owner, spool, outbox
        self._buttons = buttons
        self._shown: dict[int, Shown] = {}
        self.closed: dict[int, str] = {}
        """What was understood, by question."""

    def begin(self) -> None:
        """A run begins: remove the buttons that earlier ones left."""
        state = self._owner.session.state
        answered = (q for q in state.asked.values() if q.id in state.answers)
        self.closed = {question.id: understood(state, question) for question in answered}
        for old in self._spool.questions(self._owner.key):
            if old.buttons:
                self.unbutton(partial(int, old.message))

    def close(self) -> None:
        """Close what is answered."""
        still = self._owner.session.state.open
        for number in [n for n, shown in self._shown.items() if shown.question not in still]:
            self._close(self._shown.pop(number))

    def update(self) -> None:
        """Close what is answered, and show what is open."""
        self.close()
        state = self._owner.session.state
        for question in state.open[:1] if self._buttons else state.open:
            now = self._shown.get(question.id)
            if now is None or now.found != state.found.get(question.id):
                self.show(question)

    def seen_before(self, message: int) -> dict[int, str]:
        """The open questions that were on the phone before a message, with their digests."""
        still = {question.id for question in self._owner.session.state.open}
        sent = sorted(self._spool.questions(self._owner.key), key=lambda one: one.message)
        return {s.question: s.digest for s in sent if s.question in still and s.message < message}

    def card(self, question: Question) -> Card:
        """How a question looks now."""
        session = self._owner.session
        text = plan_text(session, question.plan) if question.plan else None
        plan = text.encode("utf-8", "surrogateescape") if text else None
        return card(session.state, question, self._owner.name, plan)

    def show(self, question: Question) -> None:
        """Send a question. An older message of it loses its buttons."""
        if old := self._shown.pop(question.id, None):
            self._end(old)
        found = self._owner.session.state.found.get(question.id)
        shown = self._shown[question.id] = Shown(question, self.card(question), found)

        def arrived(message: int) -> None:
            shown.message = message
            self.remember(message, question.id, shown.card.digest, self._buttons)

        make = partial(self._message, shown)
        self._outbox.put(Letter(lambda: None if shown.over else make(), None, arrived))

    def adopt(self, question: Question, message: int) -> None:
        """A question is answered at this message, which an earlier run may have sent."""
        if question.id not in self._shown:
            shown = self._shown[question.id] = Shown(question, self.card(question), None)
            shown.message, shown.found = message, self._owner.session.state.found.get(question.id)

    def remember(self, message: int, question: int, digest: str, buttons: bool = False) -> None:
        """A message that asks something arrived: a reply to it is an answer."""
        chat = self._outbox.chat
        self._spool.record(Sent(self._owner.key, chat, message, question, digest, buttons))

    def stop_sending(self) -> None:
        """The wait is over: what has not arrived is not needed any more."""
        for shown in self._shown.values():
            shown.over = shown.over or (self._buttons and not shown.message)
        self._outbox.wake()

    def _message(self, shown: Shown) -> Request:
        params: dict[str, object] = {"chat_id": self._outbox.chat}
        if self._buttons:
            params["reply_markup"] = keyboard(shown.card, self._owner.key, shown.question.id)
        hint = HINT if self._buttons else LATER
        if shown.card.document:
            params["caption"] = fit(shown.card.text, CAPTION - len(hint)) + hint
            return Request("sendDocument", params, shown.card.document)
        params["text"] = fit(shown.card.text, LIMIT - len(hint)) + hint
        return Request("sendMessage", {**params, **NO_PREVIEW})

    def _close(self, shown: Shown) -> None:
        """A question was answered: its buttons go, and the phone says what was understood."""
        text = understood(self._owner.session.state, shown.question)
        self.closed[shown.question.id] = text
        self._end(shown)

        def confirm() -> Request | None:
            if not shown.message:  # nobody saw the question here
                return None
            words = fit(f"{self._owner.name} · {text}")
            params = {"chat_id": self._outbox.chat, "text": words}
            return Request("sendMessage", {**params, "reply_parameters": below(shown.message)})

        self._outbox.put(Letter(confirm, LONG))

    def _end(self, shown: Shown) -> None:
        shown.over = True
        self._outbox.wake()
        self.unbutton(lambda: shown.message)

    def unbutton(self, message: Callable[[], int]) -> None:
        """Remove the buttons of a message. It has arrived when this is sent, or never will."""

        def make() -> Request | None:
            number, chat = message(), self._outbox.chat
            sent = self._spool.sent(chat, number) if number else None
            if not number or (sent and not sent.buttons):
                return None
            where = {"chat_id": chat, "message_id": number}
            none = {"inline_keyboard": list[object]()}
            return Request("editMessageReplyMarkup", {**where, "reply_markup": none})

        def gone(number: int) -> None:
            if sent := self._spool.sent(self._outbox.chat, number):
                self._spool.record(sent._replace(buttons=False))

        self._outbox.put(Letter(make, LONG, gone, silent=True))
