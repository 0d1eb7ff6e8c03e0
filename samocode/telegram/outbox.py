"""Sends messages, one after the other, in a thread of its own."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, final

from samocode.record.untrusted import mapping
from samocode.telegram.bot import Bot, Request
from samocode.telegram.spool import Spool
from samocode.telegram.text import NO_PREVIEW, fit

MOST_PAUSES = 60.0  # times the first pause: the longest one between two tries
SHORT_PATIENCE = 60.0  # seconds for a message that nobody waits for


class Letter(NamedTuple):
    """Something to send."""

    make: Callable[[], Request | None]
    """Called before each try; None if it need not be sent any more."""
    patience: float | None = SHORT_PATIENCE
    """Seconds after which it is given up; None: only by `make`."""
    arrived: Callable[[int], None] | None = None
    """Called with its message id."""
    silent: bool = False
    """Its failure is not worth a word."""


@final
class Outbox:
    """The queue of one process."""

    def __init__(
        self, bot: Bot, spool: Spool, chat: str, say: Callable[[str], None], pause: float
    ) -> None:
        """`pause`: seconds after the first failure; they double."""
        self._bot, self._spool, self._configured = bot, spool, chat
        self._say, self._pause = say, pause
        self._letters = queue.SimpleQueue[Letter]()
        self._lock, self._left = threading.Lock(), 0
        self._changed = threading.Event()

    @property
    def chat(self) -> str:
        """The chat that messages go to."""
        return self._spool.chat(self._configured)

    @property
    def busy(self) -> bool:
        """Whether something is left to send."""
        return self._left > 0

    def put(self, letter: Letter) -> None:
        """Send this after all that waits."""
        with self._lock:
            self._left += 1
        self._letters.put(letter)

    def call(self, method: str, **params: Any) -> None:
        """Call a method whose failure does not matter."""
        self.put(Letter(lambda: Request(method, params), silent=True))

    def text(
        self, text: str, patience: float | None = SHORT_PATIENCE,
        arrived: Callable[[int], None] | None = None, **params: Any,
    ) -> None:  # fmt: skip
        """Send a text."""
        params = {**NO_PREVIEW, **params}
        body = fit(text)
        if body:
            self.put(
                Letter(
                    lambda: Request("sendMessage", {"chat_id": self.chat, "text": body, **params}),
                    patience,
                    arrived,
                )
            )

    def wake(self) -> None:
        """Look again at what is being tried: it may not be needed any more."""
        self._changed.set()

    def run(self) -> None:
        """Send for ever."""
        while True:
            letter = self._letters.get()
            try:
                self._deliver(letter)
            except OSError as error:  # the shared folder: a full disk, or it was deleted
                self._say(f"   A Telegram message is not on record: {error}")
            finally:
                with self._lock:
                    self._left -= 1

    def _deliver(self, letter: Letter) -> None:
        began, pause, said = time.monotonic(), self._pause, False
        while (request := letter.make()) is not None:
            reply = self._bot.call(request)
            if reply.ok:
                number = mapping(reply.result).get("message_id")
                if letter.arrived and type(number) is int:
                    letter.arrived(number)
                return
            if reply.moved_to and reply.moved_to != self.chat:
                self.move(reply.moved_to)
                continue
            most = MOST_PAUSES * self._pause
            wait = pause if reply.passing else most  # until somebody follows the remedy
            wait = wait if reply.retry_after is None else reply.retry_after
            pause = min(2 * pause, most)
            late = time.monotonic() - began + wait > (letter.patience or math.inf)
            lost = late or not (reply.passing or letter.patience is None)
            if not letter.silent and (lost or not said):
                onward = "" if lost else " It is tried again; nothing is lost."
                when = "not delivered" if lost else "not delivered yet"
                self._say(f"   Telegram message {when} ({reply.trouble}.{onward}")
                said = True
            if lost:
                return
            self._sleep(wait, letter)

    def _sleep(self, seconds: float, letter: Letter) -> None:
        """Wait before the next try, or until the letter is not needed any more."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._changed.clear()
            if letter.make() is None:
                return
            self._changed.wait(left)

    def move(self, new: str) -> None:
        """The group has become a supergroup: use its new id from now on, and name it."""
        old = self._configured
        if self._spool.chat(old) == new:
            return
        self._spool.moved(old, new)
        words = f"The group became a supergroup: set TELEGRAM_CHAT_ID={new} (it was {old})."
        self._say(f"   {words}")
        self.text(words)
