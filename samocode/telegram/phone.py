"""The phone of one session: questions out, answers to the gate, and the commands `status`, `stop`
and `note`. Only the loop's thread touches the session; the listening thread reads and replies."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, final

from samocode import task
from samocode.child.shutdown import Shutdown
from samocode.gate.gate import Said
from samocode.record.exits import UserError
from samocode.record.state import Question
from samocode.session import Session
from samocode.settings.load import Telegram
from samocode.telegram.board import Board, Owner
from samocode.telegram.bot import Bot
from samocode.telegram.cards import press
from samocode.telegram.outbox import Outbox
from samocode.telegram.reader import Reader
from samocode.telegram.replies import Replies
from samocode.telegram.routing import HELP
from samocode.telegram.spool import Peer, Spool
from samocode.telegram.text import short

CATCH_UP = 100  # tenths of a second that a start waits for the answers given before it
TENTH = 0.1
TROUBLED = 60.0  # seconds until the next look at a folder that cannot be used


class Around(NamedTuple):
    """What a phone needs of its loop."""

    say: Callable[[str], None]
    status: Callable[[], str]
    """What the session does now. The listening thread calls it."""
    shutdown: Shutdown
    may_wait: bool
    """Whether the loop waits for answers."""
    pause: float
    """Seconds after the first failure to reach Telegram."""


@final
class Phone:
    """The phone of one run."""

    def __init__(
        self, session: Session, telegram: Telegram, environ: Mapping[str, str], around: Around
    ) -> None:
        made = f"{session.folder}\0{session.state.started}".encode("utf-8", "surrogateescape")
        self._owner = Owner(session, hashlib.sha256(made).hexdigest()[:12])
        self._telegram, self._around = telegram, around
        self._spool = Spool(environ, telegram.token)
        self._bot = Bot(telegram)
        places = (around.say, around.pause)
        self._outbox = Outbox(self._bot, self._spool, telegram.chat_id, *places)
        self._reader = Reader(self._bot, self._spool, self._outbox, *places)
        self._board = Board(self._owner, self._spool, self._outbox, around.may_wait)
        self._replies = Replies(self._owner, self._spool, self._outbox, self._board)
        self._gate = threading.Lock()
        self._between = not session.state.open  # no gate waits, nor will the next one be first

    @property
    def reached(self) -> bool:
        """Whether Telegram answered in this run."""
        return self._bot.reached

    @property
    def busy(self) -> bool:
        """Whether something is left to send."""
        return self._outbox.busy

    def start(self) -> None:
        """Begin to listen and to send."""
        try:
            self._spool.make()
            for path, _ in self._spool.inbox(self._owner.key, "command"):
                path.unlink(missing_ok=True)  # for a run that was killed
            self._spool.join(self._peer(bool(self._owner.session.state.open)))
        except OSError as error:
            raise UserError(
                f"Telegram needs a folder that its sessions share, and {error}: make it writable, "
                "or set XDG_CACHE_HOME to another one."
            ) from error
        self._board.begin()
        for run in (self._outbox.run, self._listen):
            threading.Thread(target=run, daemon=True).start()

    def notice(self, text: str, patience: float | None) -> None:
        """Send a text. It is given up after `patience` seconds."""

        def arrived(message: int) -> None:
            self._board.remember(message, 0, "")

        self._outbox.text(f"{self._owner.name} · {text}", patience, arrived)

    def _peer(self, waits: bool) -> Peer:
        telegram, name = self._telegram, self._owner.session.name
        return Peer(self._owner.key, name, telegram.chat_id, telegram.approvers, waits)

    def _join(self, waits: bool) -> None:
        """Tell the reader whether a gate waits. A gate must not end for want of this."""
        with contextlib.suppress(OSError):
            self._spool.join(self._peer(waits))

    # The gate, in the loop's thread.

    def begin(self) -> None:
        """A wait begins. Answers that were given before this start are read first."""
        with self._gate:
            self._between = False
        self._join(waits=True)
        for _ in range(CATCH_UP):
            if self._reader.caught_up.is_set() or self._around.shutdown.requested:
                break
            self._around.shutdown.wait(TENTH)

    def update(self) -> None:
        """Show what is open, close what is answered."""
        self._board.update()

    def rest(self) -> None:
        """The wait is over."""
        self._board.close()
        self._board.stop_sending()
        self._join(waits=False)
        with self._gate:
            self._between = True

    def heard(self) -> Said | None:
        """The next answer, or None. `done` must follow."""
        return self._replies.next()

    def done(self, question: Question) -> None:
        """The question is answered, or that was no answer."""
        self._replies.done(question)

    # Commands, in the listening thread.

    def _listen(self) -> None:
        while True:
            try:
                pause = self._reader.turn()
                self._obey()
            except OSError as error:  # a full disk, or the folder was deleted
                self._around.say(f"   Telegram is not read now: {error}")
                pause = TROUBLED
                with contextlib.suppress(OSError):
                    self._spool.make()
            time.sleep(pause)

    def _obey(self) -> None:
        """Do what was asked. Between two gates nobody else says that a question is answered."""
        for path, heard in self._spool.inbox(self._owner.key, "command"):
            path.unlink(missing_ok=True)
            self._replies.back(heard, self._command(*(heard.command or ("help", ""))))
        with self._gate:
            for path, heard in (
                self._spool.inbox(self._owner.key, "answer") if self._between else ()
            ):
                path.unlink(missing_ok=True)
                found = press(heard.data)
                self._replies.back(
                    heard, self._replies.late(found.question if found else heard.question)
                )

    def _command(self, word: str, text: str) -> str:
        """Obey a command and return the reply."""
        if word == "status":
            ignored = self._spool.ignored
            others = f"\nIgnored: {ignored} from others" if ignored else ""
            try:
                return self._around.status() + others
            except (UserError, OSError) as error:
                return f"The session cannot be read now: {error}"
        if word == "stop":
            self._around.shutdown.ask("Telegram")
            return "It stops after a running iteration."
        if word != "note":
            return HELP
        if not text:
            return "Write the note behind the word: note TEXT"
        try:
            task.send(self._owner.session.folder, text)
        except OSError as error:
            return f"The note was not taken: {error}"
        return f"Noted for the next iteration: {short(text, 200)}"
