"""Telegram for one session: sends questions and notices, passes answers to the gate, and obeys
`status`, `stop` and `note`. Only the loop's thread changes the session's state."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, final

from samocode import task
from samocode.child.shutdown import Shutdown
from samocode.pages.answers import Added
from samocode.record.exits import UserError
from samocode.record.state import Question
from samocode.session import Session
from samocode.settings.load import Telegram
from samocode.telegram.board import Board
from samocode.telegram.bot import Bot
from samocode.telegram.outbox import Outbox
from samocode.telegram.reader import Reader
from samocode.telegram.routing import HELP
from samocode.telegram.spool import Peer, Spool
from samocode.telegram.text import short
from samocode.telegram.updates import Heard

CATCH_UP = 100  # tenths of a second to wait for answers that were given before this start
TENTH = 0.1
NOTHING_ASKED = "Not read: nothing is asked now. To tell it something: note TEXT"
TROUBLED = 60.0  # seconds until the next look at a folder that cannot be used


class Around(NamedTuple):
    """What the phone needs from the loop."""

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
        key = hashlib.sha256(made).hexdigest()[:12]
        folder = str(session.folder)
        self._me = Peer(key, session.name, folder, telegram.chat_id, telegram.approvers)
        self._session, self._around = session, around
        self._spool = Spool(environ, telegram.token)
        self._bot = Bot(telegram)
        self._outbox = Outbox(self._bot, self._spool, telegram.chat_id, around.say, around.pause)
        self._reader = Reader(self._outbox, key)
        self._board = Board(session, key, self._outbox, around.may_wait)
        self._answers = threading.Lock()  # held by the thread that handles them
        self._over = False
        self._waits: bool | None = None  # what a gate last wrote for the reader; None: nothing yet

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
            for path, _ in self._spool.inbox(self._me.key, "command"):
                path.unlink(missing_ok=True)  # it was meant for a run that was killed
            self._spool.join(self._me._replace(waits=bool(self._session.state.open)))
        except OSError as error:
            raise UserError(
                f"Telegram needs a folder that all sessions share ({error}). Make it writable, or "
                "set XDG_CACHE_HOME to another one."
            ) from error
        self._board.begin()
        for run in (self._outbox.run, self._listen):
            threading.Thread(target=run, daemon=True).start()

    def notice(self, text: str, patience: float) -> None:
        """Send a text. It is given up after `patience` seconds."""
        self._outbox.text(f"{self._board.name} · {text}", patience, self._board.remember)

    def leave(self) -> None:
        """Obey no more commands: another loop may run the session. Reading goes on."""
        self._over = True

    # The gate, in the loop's thread.

    def turn(self, take: Callable[[Question, Added], None]) -> bool:
        """Give the next answer to `take`, or show what is open. Return whether one came."""
        if not self._waits:
            self._begin()
        with self._answers:
            for path, heard in self._inbox("answer"):
                came = self._board.answer(heard, take)
                path.unlink(missing_ok=True)
                if came:
                    return True
        self._board.update()
        return False

    def rest(self) -> None:
        """The wait is over."""
        if self._waits is not False:
            self._board.rest()
            self._join(waits=False)
            with contextlib.suppress(OSError):
                self._reply_late()

    def _begin(self) -> None:
        """A wait begins. Answers that were given before this start are read first."""
        self._join(waits=True)
        for _ in range(CATCH_UP):
            if self._reader.caught_up.is_set() or self._around.shutdown.requested:
                break
            self._around.shutdown.wait(TENTH)

    def _inbox(self, kind: str) -> Iterator[tuple[Path, Heard]]:
        """The messages of people who may write to this run. Others, who could only write to an
        earlier run, are dropped."""
        me = self._me._replace(chat=self._outbox.chat)
        for path, heard in self._spool.inbox(me.key, kind):
            if me.hears(heard):
                yield path, heard
            else:
                path.unlink(missing_ok=True)

    def _join(self, waits: bool) -> None:
        """Tell the reader whether this session waits. If that fails, the wait goes on."""
        self._waits = waits
        with contextlib.suppress(OSError):
            self._spool.join(self._me._replace(waits=waits))

    # Commands, in the listening thread.

    def _listen(self) -> None:
        while True:
            try:
                pause = self._reader.turn()
                if not self._over:
                    self._obey()
            except OSError as error:  # a full disk, or the folder was deleted
                self._around.say(f"   The folder that Telegram needs cannot be used now: {error}")
                pause = TROUBLED
                with contextlib.suppress(OSError):
                    self._spool.make()
            time.sleep(pause)

    def _obey(self) -> None:
        """Obey the commands that arrived, and reply to late answers."""
        for path, heard in self._inbox("command"):
            path.unlink(missing_ok=True)
            self._board.back(heard, self._command(*(heard.command or ("help", ""))))
        self._reply_late()

    def _reply_late(self) -> None:
        """Reply to answers that came too late: they are taken only at a gate."""
        with self._answers:
            for path, heard in self._inbox("answer"):
                text = self._board.late(heard.question)
                if not heard.question and self._waits is False:  # it came with the last answer
                    text = NOTHING_ASKED
                if text:
                    path.unlink(missing_ok=True)
                    self._board.back(heard, text)

    def _command(self, word: str, text: str) -> str:
        """Obey a command and return the reply."""
        if word == "status":
            ignored = self._spool.ignored
            others = f"\nIgnored messages of others: {ignored}" if ignored else ""
            try:
                return self._around.status() + others
            except (UserError, OSError) as error:
                return f"The session cannot be read now: {error}"
        if word == "stop":
            self._around.shutdown.ask("Telegram")
            return "It stops as soon as no iteration runs."
        if word != "note":
            return HELP
        if not text:
            return "Write the text after the word: note TEXT"
        try:
            task.send(self._session.folder, text)
        except OSError as error:
            return f"The note was not taken: {error}"
        return f"Noted for the next iteration: {short(text, 200)}"
