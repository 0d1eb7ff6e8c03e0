"""Sends messages, one after the other, in a thread of its own."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from samocode.record.untrusted import mapping
from samocode.telegram.bot import Bot, Request
from samocode.telegram.spool import Spool
from samocode.telegram.text import NO_PREVIEW, TOAST, below, fit, short
from samocode.telegram.updates import Heard

PATIENCE = 60.0  # seconds for a reply or another small text
LOOK = 0.5  # seconds between two checks whether a message is still needed


@dataclass
class Letter:
    """A message to send."""

    make: Callable[[], Request | None]
    """Called before each try; None if it need not be sent any more."""
    patience: float | None = PATIENCE
    """Seconds after which it is given up, or at once if Telegram refuses it. None: it is tried
    until it is `over`."""
    arrived: Callable[[int], None] | None = None
    """Called with its message id."""
    silent: bool = False
    """Its failure is not reported."""
    message: int = 0
    """Its message id, 0 until it arrived. Set by the sending thread."""
    over: bool = False
    """It need not be sent any more. Set by the loop's thread."""


@final
class Outbox:
    """The queue of one process."""

    def __init__(
        self, bot: Bot, spool: Spool, chat: str, say: Callable[[str], None], pause: float
    ) -> None:
        """`pause`: seconds after the first failure; they double."""
        self.bot, self.spool, self.say, self.pause = bot, spool, say, pause
        self._configured = chat
        self._letters = queue.Queue[Letter]()

    @property
    def chat(self) -> str:
        """The chat that messages go to."""
        return self.spool.chat(self._configured)

    @property
    def busy(self) -> bool:
        """Whether something is left to send."""
        return self._letters.unfinished_tasks > 0

    def put(self, letter: Letter) -> None:
        """Add a message to the end of the queue."""
        self._letters.put(letter)

    def text(
        self, text: str, patience: float | None = PATIENCE,
        arrived: Callable[[int], None] | None = None, **params: Any,
    ) -> None:  # fmt: skip
        """Send a text."""
        if body := fit(text):
            params = {**NO_PREVIEW, "text": body, **params}
            make = lambda: Request("sendMessage", {"chat_id": self.chat, **params})  # noqa: E731
            self.put(Letter(make, patience, arrived))

    def back(self, heard: Heard, text: str, name: str = "") -> None:
        """Reply to a person. Telegram expects a reply to each press; the reply may be
        empty."""
        if heard.press:
            words = {"callback_query_id": heard.press, "text": short(text, TOAST)}
            self.put(Letter(lambda: Request("answerCallbackQuery", words), silent=True))
        elif text:
            text = f"{name} · {text}" if name else text
            self.text(text, chat_id=heard.chat, reply_parameters=below(heard.message))

    def run(self) -> None:
        """Send for ever."""
        while True:
            letter = self._letters.get()
            try:
                self._deliver(letter)
            except OSError as error:  # the shared folder: a full disk, or it was deleted
                self.say(f"   A Telegram message could not be recorded: {error}")
            finally:
                self._letters.task_done()

    def _deliver(self, letter: Letter) -> None:
        until, failures = time.monotonic() + (letter.patience or math.inf), 0
        while not letter.over and (request := letter.make()) is not None:
            reply = self.bot.call(request)
            if reply.ok:
                number = mapping(reply.result).get("message_id")
                letter.message = number if type(number) is int else 0
                if letter.arrived and letter.message:
                    letter.arrived(letter.message)
                return
            if reply.moved_to and reply.moved_to != self.chat:
                self.move(reply.moved_to)
                continue
            failures += 1
            again = time.monotonic() + reply.pause(failures, self.pause)
            lost = again > until or not (reply.passing or letter.patience is None)
            if not letter.silent and (lost or failures == 1):
                onward = "" if lost else " It will be tried again; nothing is lost."
                when = "not delivered" if lost else "not delivered yet"
                self.say(f"   Telegram message {when} {reply.trouble}.{onward}")
            if lost:
                return
            while (left := again - time.monotonic()) > 0 and not letter.over:
                time.sleep(min(left, LOOK))

    def move(self, new: str) -> None:
        """Use the new id of a group that became a supergroup, and tell the person."""
        old = self._configured
        if self.spool.chat(old) == new:
            return
        self.spool.moved(old, new)
        words = f"The group became a supergroup: set TELEGRAM_CHAT_ID={new} (it was {old})."
        self.say(f"   {words}")
        self.text(words)
