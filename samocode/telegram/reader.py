"""Reads the messages of a bot and hands each to its session. One process at a time does this for
all sessions of the bot."""

from __future__ import annotations

import threading
import time
from typing import final

from samocode.record.untrusted import items, mapping
from samocode.record.words import short_name
from samocode.telegram.bot import TIMEOUT, Reply, Request
from samocode.telegram.outbox import Outbox
from samocode.telegram.routing import route
from samocode.telegram.updates import KINDS, Heard, heard

POLL = 50  # seconds that the Bot API holds getUpdates open
NEXT = 1.0  # seconds between two attempts to become the reader
TOO_EARLY = "That came before this run began. Send it again if you still want it."
TRIES, PAUSE = 10, 0.1  # looks for the record of a message, and seconds between two of them


@final
class Reader:
    """Calls getUpdates while this process is the reader."""

    def __init__(self, outbox: Outbox, key: str) -> None:
        """`key`: the session of this process."""
        self._outbox, self._spool, self._key = outbox, outbox.spool, key
        self._failures, self._said = 0, ""
        self._behind = True  # what was sent before this start is not read yet
        self.caught_up = threading.Event()
        """Set after the first turn: the messages from before this start were read, or reading
        failed, or another process reads."""

    def turn(self) -> float:
        """Read once, and return the seconds until the next turn."""
        if not self._spool.may_read():
            self._behind = False
            self.caught_up.set()
            return NEXT
        wait = POLL if self.caught_up.is_set() and not self._failures else 0
        params: dict[str, object] = {"timeout": wait, "allowed_updates": KINDS}
        offset = self._spool.offset
        params |= {} if offset is None else {"offset": offset}
        began = time.monotonic()
        reply = self._outbox.bot.call(Request("getUpdates", params), TIMEOUT + wait)
        pause = self._take(reply, offset) if reply.ok else self._failed(reply)
        self.caught_up.set()
        early = wait and not reply.result and time.monotonic() - began < NEXT
        return max(pause, NEXT) if early else pause  # a proxy may answer a long poll at once

    def _take(self, reply: Reply, offset: int | None) -> float:
        if self._said:
            self._outbox.say("   Telegram is read again.")
        self._failures, self._said = 0, ""
        for update in items(reply.result):
            number = mapping(update).get("update_id")
            if type(number) is not int or (offset is not None and number < offset):
                continue
            found = heard(update)
            known = found is None or self._hand_over(found)
            self._spool.passed(number, not known)
        self._behind = False
        return 0.0

    def _failed(self, reply: Reply) -> float:
        """Say what is wrong, once, and return the pause."""
        self._failures += 1
        # Most network errors pass by themselves. One 409 may come from a killed reader's poll.
        patient = 3 if reply.passing else 2 if reply.status == 409 else 1
        if self._failures >= patient and reply.trouble != self._said:
            self._said = reply.trouble
            self._outbox.say(f"   Telegram cannot be read {reply.trouble}. It will be tried again.")
            if reply.status == 409:
                self._outbox.text(f"I cannot read your messages {reply.trouble}.")
        return reply.pause(self._failures, self._outbox.pause)

    def _hand_over(self, said: Heard) -> bool:
        """Give a message to its session. Return False if no session here accepts it."""
        if said.moved_to:
            if said.chat == self._outbox.chat:
                self._outbox.move(said.moved_to)
            return True
        said = self._bound(said)
        found = route(said, list(self._spool.peers()))
        if found is None:
            return False
        own = all(peer.key == self._key for peer in found.to)
        if found.kind == "command" and own and self._behind:
            self._outbox.back(said, TOO_EARLY)
            return True
        for peer in found.to:
            self._spool.deliver(peer.key, said._replace(text=found.text or said.text), found.kind)
            if not peer.running:
                self._outbox.back(
                    said, f"{short_name(peer.name)} is not running. It reads this when it starts."
                )
        if found.say:
            self._outbox.back(said, found.say)
        return True

    def _bound(self, said: Heard) -> Heard:
        """Add the session and question to a reply whose message has no buttons that name them. A
        quick reply may arrive before the record of that message, so look several times."""
        for _ in range(TRIES if said.reply_to and not said.session else 0):
            if sent := self._spool.sent(said.chat, said.reply_to):
                return said._replace(session=sent.key, question=sent.question, digest=sent.digest)
            time.sleep(PAUSE)
        return said
