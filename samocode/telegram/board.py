"""Shows the open questions on the phone, takes the answers, and removes the buttons of answered
ones. Runs in the loop's thread. The listening thread also calls `late` and `back`; the sending
thread calls `remember` and the functions of each Letter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, final

from samocode.gate.approval import plan_text
from samocode.pages.answers import Added
from samocode.pages.meaning import taken
from samocode.record.state import CHANGE, Question
from samocode.record.words import short_name
from samocode.session import Session
from samocode.telegram.bot import Request
from samocode.telegram.cards import Card, card, chosen, keyboard, understood
from samocode.telegram.outbox import Letter, Outbox
from samocode.telegram.routing import HELP
from samocode.telegram.spool import Sent
from samocode.telegram.text import CAPTION, LIMIT, NO_PREVIEW, below, fit
from samocode.telegram.updates import Heard

HINT = "\n\nOr reply to this message in your own words."
LATER = "\n\nReply to this message. The answer counts at the next start."
CHANGED = "The question has changed. Here is the new one."

LONG = 3600.0  # seconds of attempts to remove buttons and to confirm an answer


class Shown(NamedTuple):
    """A question on the phone, or in the outbox."""

    question: Question
    found: str | None
    letter: Letter


@final
class Board:
    """Shows one question at a time. Without `buttons` all at once, for a loop that does not wait
    for the answers."""

    def __init__(self, session: Session, key: str, outbox: Outbox, buttons: bool) -> None:
        self.name = short_name(session.name)
        self._session, self._key, self._buttons = session, key, buttons
        self._outbox, self._spool = outbox, outbox.spool
        self._shown: dict[int, Shown] = {}

    def update(self) -> None:
        """Close what is answered, and show what is open."""
        self.close()
        state = self._session.state
        for question in state.open[:1] if self._buttons else state.open:
            now = self._shown.get(question.id)
            if now is None or now.found != state.found.get(question.id):
                self._show(question)

    def close(self) -> None:
        """Close what is answered."""
        for shown in list(self._shown.values()):
            if shown.question not in self._session.state.open:
                self._close(shown.question)

    def rest(self) -> None:
        """End the wait. A question with buttons that has not arrived is not sent any more."""
        self.close()
        for shown in self._shown.values():
            shown.letter.over = self._buttons and not shown.letter.message

    def begin(self) -> None:
        """Remove the buttons that earlier runs left."""
        for sent in self._spool.questions(self._key):
            if sent.buttons and sent.chat == self._outbox.chat:
                self._unbutton(partial(int, sent.message))

    def remember(
        self, message: int, question: int = 0, digest: str = "", rows: bool = False
    ) -> None:
        """Record a message that arrived, so that replies to it reach this session and question.
        The sending thread calls this."""
        self._spool.record(Sent(self._key, self._outbox.chat, message, question, digest, rows))

    # What a person answers.

    def answer(self, heard: Heard, take: Callable[[Question, Added], None]) -> bool:
        """Pass an answer to the gate, or reply why not. Return whether it was passed."""
        said = self._pressed(heard) if heard.press else self._wrote(heard)
        if isinstance(said, str):
            self.back(heard, said)
            return False
        question, added = said
        take(question, added)
        if self._open(question.id):
            self.back(heard, f"{self._session.state.refused[question.id]}.")
        else:
            self.back(heard, understood(self._session.state, question) if heard.press else "")
            if heard.press:  # its message may be unknown: the loop was killed after sending it
                self._unbutton(lambda: heard.message)
            self._close(question)
        return True

    def late(self, number: int) -> str | None:
        """Return the reply to an answer that comes too late, or None. The listening thread calls
        this, too, so it looks up keys and never iterates over the state."""
        state = self._session.state
        question = state.asked.get(number)
        if question is None or number not in state.answers or number in state.found:
            return None
        return f"Answered already. {understood(state, question)}\nTo say more: note TEXT, or stop."

    def back(self, heard: Heard, text: str) -> None:
        """Reply to a person."""
        self._outbox.back(heard, text, self.name)

    def _pressed(self, heard: Heard) -> tuple[Question, Added] | str:
        """Return the question and the answer of a button. If it is out of date, or asks for a
        change, return the reply."""
        question = self._open(heard.question)
        if question is None:
            self._unbutton(lambda: heard.message)
            return self._not_open(heard.question)
        if heard.digest != self._card(question).digest:
            self._show(question)
            return CHANGED
        if question.kind == "approval" and heard.choice == "B":
            self._ask_change(question, heard.digest)
            return "Write what to change."
        added = chosen(question, heard.choice)
        return (question, added) if added else self._not_open(question.id)

    def _wrote(self, heard: Heard) -> tuple[Question, Added] | str:
        """Return the question and the answer of a text, or the reply if it is not clear. A text
        that replies to nothing answers the question before it, if only one is open."""
        if not heard.text.strip():
            return "I can read only text."
        number, digest = heard.question, heard.digest
        if not number:
            sent = [one for one in self._spool.questions(self._key) if one.message < heard.message]
            seen = {one.question: one.digest for one in sent if self._open(one.question)}
            if len(seen) != 1:
                return "Reply to the question that you mean." if seen else HELP
            ((number, digest),) = seen.items()
        question, added = self._open(number), Added(heard.text)
        if question is None:
            return self._not_open(number)
        if digest != self._card(question).digest and taken(question, added) != CHANGE:
            self._show(question)
            return CHANGED
        return question, added

    def _open(self, number: int) -> Question | None:
        return next((each for each in self._session.state.open if each.id == number), None)

    def _not_open(self, number: int) -> str:
        return self.late(number) or (f"Q{number} is not open any more." if number else HELP)

    def _ask_change(self, question: Question, digest: str) -> None:
        words = f"{self.name} · Q{question.id}: what should change? Reply to this message."
        self._outbox.text(
            words, arrived=lambda message: self.remember(message, question.id, digest),
            reply_markup={"force_reply": True},
        )  # fmt: skip

    # What the phone shows.

    def _card(self, question: Question) -> Card:
        """Return the card of a question as of now."""
        text = plan_text(self._session, question.plan) if question.plan else None
        plan = text.encode("utf-8", "surrogateescape") if text else None
        return card(self._session.state, question, self.name, plan)

    def _show(self, question: Question) -> None:
        """Send a question, and remove the buttons of an older message of it."""
        self._end(question)
        number, card = question.id, self._card(question)

        def arrived(message: int) -> None:
            self.remember(message, number, card.digest, self._buttons)

        letter = Letter(lambda: self._request(number, card), None, arrived)
        self._shown[number] = Shown(question, self._session.state.found.get(number), letter)
        self._outbox.put(letter)

    def _request(self, number: int, card: Card) -> Request:
        params: dict[str, object] = {"chat_id": self._outbox.chat}
        if self._buttons:
            params["reply_markup"] = keyboard(card, self._key, number)
        hint = HINT if self._buttons else LATER
        if card.document:
            params["caption"] = fit(card.text, CAPTION - len(hint)) + hint
            return Request("sendDocument", params, card.document)
        params["text"] = fit(card.text, LIMIT - len(hint)) + hint
        return Request("sendMessage", {**params, **NO_PREVIEW})

    def _close(self, question: Question) -> None:
        """Remove the buttons of an answered question, and confirm what was recorded."""
        self._end(question)
        text = fit(f"{self.name} · {understood(self._session.state, question)}")

        def confirm() -> Request | None:
            sent = [one for one in self._spool.questions(self._key) if one.question == question.id]
            if not sent:  # the question was never sent
                return None
            params = {"text": text, "reply_parameters": below(sent[-1].message)}
            return Request("sendMessage", {"chat_id": self._outbox.chat, **params})

        self._outbox.put(Letter(confirm, LONG))

    def _end(self, question: Question) -> None:
        """Drop the message of a question, or remove its buttons if it was sent."""
        if shown := self._shown.pop(question.id, None):
            letter = shown.letter
            letter.over = True
            self._unbutton(lambda: letter.message)

    def _unbutton(self, message: Callable[[], int]) -> None:
        """Remove the buttons of a message. The outbox sends in order: by the time of this request
        the message has arrived, or it never will."""

        def make() -> Request | None:
            number, chat = message(), self._outbox.chat
            sent = self._spool.sent(chat, number)
            if not number or (sent and not sent.buttons):
                return None
            where = {"chat_id": chat, "message_id": number}
            none = {"inline_keyboard": list[object]()}
            return Request("editMessageReplyMarkup", {**where, "reply_markup": none})

        def gone(number: int) -> None:
            if sent := self._spool.sent(self._outbox.chat, number):
                self._spool.record(sent._replace(buttons=False))

        self._outbox.put(Letter(make, LONG, gone, silent=True))
