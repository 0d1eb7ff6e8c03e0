"""The folder that all sessions of one bot share: who reads, which sessions there are, what was sent
and what came for each. It may be deleted while no loop runs: old buttons then stay until they are
pressed, and answers that no session has read are lost.

    reader            flock of the process that calls getUpdates; the kernel releases it
    offset            the next update_id, and how many messages of others were ignored
    moved/OLD         the id of the supergroup that a chat has become
    sessions/KEY      a session: its name, folder, chat and approvers, and whether its gate waits
    sent/CHAT.ID      the session and the question of a message
    inbox/KEY/N-KIND  an update for a session; KIND is answer or command

Each file is signed with the token: a child may write into this folder, and does not get the token.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, final

from samocode.lock import holder, is_running
from samocode.record import files
from samocode.record.untrusted import mapping, parse
from samocode.settings.clone import cache
from samocode.telegram.updates import Heard

FRESH = 6 * 86400.0  # seconds; after a week without updates, update_id starts at a random number
OLD = 30 * 86400.0  # seconds after which a sent message is forgotten
MOST = 1 << 20  # bytes of a file

T = TypeVar("T")


class Peer(NamedTuple):
    """A session of this bot."""

    key: str
    name: str
    folder: str
    chat: str
    approvers: tuple[str, ...] = ()
    waits: bool = False
    loop: str = ""
    """The last process that used Telegram for it. Since then, the session may run without Telegram,
    or another session may be in its folder."""
    running: bool = False

    @property
    def runs(self) -> bool:
        """Whether the process in `loop` runs this session now. False if its folder cannot be read:
        that must not stop the reader."""
        with contextlib.suppress(OSError):
            folder = Path(self.folder)
            return is_running(folder) and holder(folder) == self.loop
        return False

    def hears(self, heard: Heard) -> bool:
        """Whether this person may speak to this session: only approvers if there are any, else
        everybody in the chat, but nobody in a public one."""
        if heard.chat != self.chat and heard.chat_name.lower() != self.chat.lower():
            return False
        return heard.user in self.approvers if self.approvers else not heard.in_public


class Sent(NamedTuple):
    """A message that was sent: its session, and for a question its number and the digest of
    what was shown."""

    key: str
    chat: str
    message: int
    question: int = 0
    digest: str = ""
    buttons: bool = False


@final
class Spool:
    """The folder of one token."""

    def __init__(self, environ: Mapping[str, str], token: str) -> None:
        name = hashlib.sha256(token.encode()).hexdigest()[:16]
        self.folder = cache(environ) / "telegram" / name
        self._token = token.encode()
        self._reader: int | None = None

    def make(self) -> None:
        """Create the folder. OSError if that is impossible."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        for name in ("", "moved", "sessions", "sent", "inbox"):
            files.folder(self.folder / name)

    def may_read(self) -> bool:
        """Become the reader of the bot if there is none. Return whether this process is the reader,
        which it stays until it ends."""
        if self._reader is None:
            fd = os.open(self.folder / "reader", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            self._reader = fd
        return True

    @property
    def offset(self) -> int | None:
        """The next update_id. None if it is unknown or may have started anew."""
        stamp = files.stamp(self.folder / "offset")
        if stamp is None or time.time() - stamp[2] / 1e9 > FRESH:
            return None
        return self._read("offset").get("next")

    @property
    def ignored(self) -> int:
        """How many messages were not for us."""
        return int(self._read("offset").get("ignored", 0))

    def passed(self, update: int, ignored: bool) -> None:
        """Record that an update was stored or ignored."""
        self._write("offset", {"next": update + 1, "ignored": self.ignored + ignored})

    def chat(self, configured: str) -> str:
        """The id of a chat, which may have become a supergroup."""
        return str(self._read(f"moved/{configured}").get("to", configured))

    def moved(self, old: str, new: str) -> None:
        self._write(f"moved/{old}", {"to": new})

    def join(self, peer: Peer) -> None:
        """Show this session to the reader."""
        peer = peer._replace(loop=holder(Path(peer.folder)))
        self._write(f"sessions/{peer.key}", peer._asdict())

    def peers(self) -> Iterator[Peer]:
        """All sessions that ever used this bot."""
        for path in sorted((self.folder / "sessions").iterdir()):
            if peer := self._row(f"sessions/{path.name}", Peer):
                yield peer._replace(chat=self.chat(peer.chat), running=peer.runs)

    def record(self, sent: Sent) -> None:
        self._write(f"sent/{sent.chat}.{sent.message}", sent._asdict())

    def sent(self, chat: str, message: int) -> Sent | None:
        """The record of a message that was sent."""
        return self._row(f"sent/{chat}.{message}", Sent)

    def questions(self, key: str) -> Iterator[Sent]:
        """The messages in which a session asked something, by id. Old ones are forgotten."""
        found = list[Sent]()
        for path in (self.folder / "sent").glob("*[0-9]"):  # a .tmp is just being written
            sent, stamp = self._row(f"sent/{path.name}", Sent), files.stamp(path)
            if sent is None or stamp is None or time.time() - stamp[2] / 1e9 > OLD:
                _forget(path)
            elif sent.key == key and sent.question:
                found.append(sent)
        yield from sorted(found, key=lambda sent: sent.message)

    def deliver(self, key: str, heard: Heard, kind: str) -> None:
        """Store an update for a session. The same one again replaces it."""
        files.folder(self.folder / "inbox" / key)
        self._write(f"inbox/{key}/{heard.id:015d}-{kind}", heard._asdict())

    def inbox(self, key: str, kind: str) -> Iterator[tuple[Path, Heard]]:
        """What came for a session, the oldest first. Whoever handles a file removes it."""
        for path in sorted((self.folder / "inbox" / key).glob(f"*-{kind}")):
            if heard := self._row(f"inbox/{key}/{path.name}", Heard):
                yield path, heard
            else:
                _forget(path)

    def _row(self, name: str, make: Callable[..., T]) -> T | None:
        """The content of a file as a record. None if it is missing or of another version."""
        try:
            return make(**self._read(name))
        except TypeError:
            return None

    def _read(self, name: str) -> Mapping[str, Any]:
        """The fields of a file that this token signed, else nothing."""
        found = mapping(parse(files.read_any(self.folder / name, MOST)))
        fields = mapping(found.get("fields"))
        seal = str(found.get("seal")).encode("utf-8", "replace")
        return fields if hmac.compare_digest(seal, self._seal(name, fields)) else {}

    def _write(self, name: str, fields: Mapping[str, object]) -> None:
        sealed = {"fields": fields, "seal": self._seal(name, fields).decode()}
        files.write(self.folder / name, json.dumps(sealed), durable=False)

    def _seal(self, name: str, fields: Mapping[str, object]) -> bytes:
        text = json.dumps([name, fields], sort_keys=True)
        return hmac.new(self._token, text.encode(), "sha256").hexdigest().encode()


def _forget(path: Path) -> None:
    """Remove a file that is not ours or too old. A child may have put a folder there."""
    with contextlib.suppress(OSError):
        path.unlink()
