"""The folder that all sessions of one bot share: who reads, which sessions there are, what was sent
and what came for each. It is safe to delete: old buttons then stay until they are pressed.

    reader            flock of the process that calls getUpdates; the kernel releases it
    offset            the next update_id, and how many messages of others were ignored
    moved/OLD         the id of the supergroup that a chat has become
    sessions/KEY      a session: its name, chat and approvers; KEY.lock is held while it runs
    sent/CHAT.ID      the session and the question of a message
    inbox/KEY/N-KIND  an update for a session, signed; KIND is answer or command
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, final

from samocode.record import files
from samocode.record.untrusted import items, mapping, number, parse
from samocode.settings.clone import cache
from samocode.telegram.updates import Heard, stored

FRESH = 6 * 86400.0  # seconds; after a week without updates, update_id starts anywhere
OLD = 30 * 86400.0  # seconds after which a sent message is forgotten
MOST = 1 << 20  # bytes of a file


class Peer(NamedTuple):
    """A session of this bot."""

    key: str
    name: str
    chat: str
    approvers: tuple[str, ...] = ()
    waits: bool = False
    running: bool = False

    def hears(self, heard: Heard) -> bool:
        """Whether this person may speak to it. In a public chat only approvers may."""
        if heard.chat != self.chat and heard.chat_name.lower() != self.chat.lower():
            return False
        return heard.user in self.approvers if self.approvers else not self.chat.startswith("@")


class Sent(NamedTuple):
    """A message that was sent: its session, and for a question its number and text."""

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
        self._held: dict[str, int] = {}

    def make(self) -> None:
        """Create the folder. OSError if that is impossible."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        for name in ("", "moved", "sessions", "sent", "inbox"):
            files.folder(self.folder / name)

    def _lock(self, name: str) -> bool:
        """Take a lock and keep it until this process ends."""
        if name not in self._held:
            fd = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            self._held[name] = fd
        return True

    def may_read(self) -> bool:
        """Whether this process is the reader of the bot, now or from now on."""
        return self._lock("reader")

    @property
    def offset(self) -> int | None:
        """The next update_id. None if it is unknown or may have started anew."""
        stamp = files.stamp(self.folder / "offset")
        if stamp is None or time.time() - stamp[2] / 1e9 > FRESH:
            return None
        found = number(self._read("offset").get("next"))
        return None if found is None else int(found)

    @property
    def ignored(self) -> int:
        """How many messages were not for us."""
        return int(number(self._read("offset").get("ignored")) or 0)

    def passed(self, update: int, ignored: bool) -> None:
        """An update is stored, or ignored."""
        count = self.ignored + ignored
        self._write("offset", {"next": update + 1, "ignored": count})

    def chat(self, configured: str) -> str:
        """The id of a chat, which may have become a supergroup."""
        return str(self._read(f"moved/{configured}").get("to") or configured)

    def moved(self, old: str, new: str) -> None:
        self._write(f"moved/{old}", {"to": new})

    def join(self, peer: Peer) -> None:
        """Show this session to the reader, as running."""
        self._lock(f"sessions/{peer.key}.lock")
        fields = peer._asdict()
        self._write(f"sessions/{peer.key}", {k: v for k, v in fields.items() if k != "running"})

    def peers(self) -> Iterator[Peer]:
        """All sessions that ever used this bot and chat."""
        for path in sorted((self.folder / "sessions").glob("*")):
            if path.suffix:  # KEY.lock
                continue
            found = self._read(f"sessions/{path.name}")
            names = tuple(str(user) for user in items(found.get("approvers")))
            yield Peer(
                path.name, str(found.get("name")), self.chat(str(found.get("chat"))), names,
                found.get("waits") is True, self._runs(path.name),
            )  # fmt: skip

    def _runs(self, key: str) -> bool:
        name = f"sessions/{key}.lock"
        if name in self._held:
            return True
        try:
            fd = os.open(self.folder / name, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def record(self, sent: Sent) -> None:
        self._write(f"sent/{sent.chat}.{sent.message}", sent._asdict())

    def sent(self, chat: str, message: int) -> Sent | None:
        """What a message was."""
        found = self._read(f"sent/{chat}.{message}")
        try:
            return Sent(**found)
        except TypeError:
            return None

    def questions(self, key: str) -> Iterator[Sent]:
        """The messages in which a session asked something. Old ones are forgotten."""
        for path in sorted((self.folder / "sent").glob("*")):
            if path.suffix == ".tmp":  # just being written
                continue
            chat, _, message = path.name.rpartition(".")
            found = self.sent(chat, int(message)) if message.isdigit() else None
            if found is None or time.time() - path.stat().st_mtime > OLD:
                path.unlink(missing_ok=True)
            elif found.key == key and found.question:
                yield found

    def deliver(self, key: str, heard: Heard, kind: str) -> None:
        """Store an update for a session. The same one again replaces it."""
        files.folder(self.folder / "inbox" / key)
        fields = heard._asdict()
        sealed = {"heard": fields, "seal": self._seal(key, kind, fields)}
        self._write(f"inbox/{key}/{heard.id:015d}-{kind}", sealed)

    def inbox(self, key: str, kind: str) -> Iterator[tuple[Path, Heard]]:
        """What came for a session, the oldest first. Who handles a file removes it."""
        folder = self.folder / "inbox" / key
        for path in sorted(folder.glob(f"*-{kind}")) if folder.is_dir() else ():
            sealed = self._read(f"inbox/{key}/{path.name}")
            fields = mapping(sealed.get("heard"))
            whole = hmac.compare_digest(str(sealed.get("seal")), self._seal(key, kind, fields))
            if whole and (found := stored(fields)):
                yield path, found
            else:
                path.unlink(missing_ok=True)

    def _seal(self, key: str, kind: str, fields: Mapping[str, object]) -> str:
        """Sign an update with the token: a child may write into this folder, and does not get the
        token."""
        text = json.dumps([key, kind, fields], sort_keys=True)
        return hmac.new(self._token, text.encode(), "sha256").hexdigest()

    def _read(self, name: str) -> Mapping[str, Any]:
        return mapping(parse(files.read_any(self.folder / name, MOST)))

    def _write(self, name: str, fields: Mapping[str, object]) -> None:
        files.write(self.folder / name, json.dumps(fields), durable=False)
