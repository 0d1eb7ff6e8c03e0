"""Notify the user at each wait and stop, on the screen and by Telegram."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from samocode import __version__
from samocode.decide.facts import Pause
from samocode.decide.money import used_up
from samocode.gate.gate import Terminal
from samocode.record.exits import ExitCode, Stop
from samocode.session import Session
from samocode.settings.clone import at_terminal
from samocode.settings.flags import resume_command
from samocode.settings.load import Settings
from samocode.settings.timeouts import Timeouts
from samocode.show import status
from samocode.show.live import View

LAST_WORDS = 90.0  # seconds to wait for the last message to be sent
HURRIED_WORDS = 5.0  # the same after SIGTERM or SIGHUP


class Notifier(NamedTuple):
    """Notifies the user about one run of one session."""

    session: Session
    settings: Settings
    view: View
    send: Callable[[str], str | None] | None = None
    """Sends a Telegram message and returns an error or None. Itself None without Telegram."""

    def hello(self) -> None:
        """Print the first line of a run: model, permission mode, who pays."""
        settings = self.settings
        self.view.say(
            f"samocode {__version__}: session {self.session.name}, model {settings.model}, "
            f"permission mode {settings.permission_mode}, paid by {settings.paid_by}"
        )

    def terminal(self, poll: float) -> Terminal | None:
        """Return where a person can type answers, or None. `poll` is in seconds."""
        if not at_terminal():
            return None
        from samocode.terminal.typed import TypedAnswers

        return TypedAnswers(sys.stdin.fileno(), self.view.prompt, poll)

    def questions(self, terminal: bool) -> None:
        """Show the open questions and where to answer them."""
        if self.settings.on_wait == "exit":
            return  # the stop that follows shows them
        text = status.questions_text(self.session)
        self.view.say(f"\n{text}\n\n{status.how_to_answer(self.session, terminal)}")
        answer = status.how_to_answer(self.session, terminal=False)
        self.notify(f"samocode {self.session.name} waits for you\n\n{text}\n\n{answer}")

    def pause(self, pause: Pause, seconds: float) -> None:
        """Announce a wait of `seconds` for the API. Only a usage limit is sent by Telegram."""
        resumes = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + seconds))
        if pause.until is None:
            self.view.say(f"   next try at {resumes}")
            return
        self.view.say(f"   {pause.why}: going on at {resumes}")
        self.notify(f"samocode {self.session.name}: {pause.why}, going on by itself at {resumes}")

    def tell(self, stop: Stop) -> None:
        """Show a stop and send it by Telegram."""
        text = status.stop_text(self.session, stop, self.command())
        self.view.say("\n" + text)
        if not stop.seen:
            hurried = stop.code == ExitCode.TERMINATED
            self.notify(text).join(HURRIED_WORDS if hurried else LAST_WORDS)

    def show_status(self) -> None:
        """Print the status of the session."""
        self.view.say(status.status(self.session, self.command()))

    def command(self) -> str:
        """Return the command that resumes the session."""
        cap = self.settings.max_cost
        reached = cap is not None and used_up(self.session.state, cap)
        return resume_command(self.settings, self.session.name, reached)

    def notify(self, text: str) -> threading.Thread:
        """Send a text by Telegram in a thread, so that a slow server cannot delay the loop."""
        sending = threading.Thread(target=self._send, args=(text,), daemon=True)
        sending.start()
        return sending

    def _send(self, text: str) -> None:
        if self.send and (trouble := self.send(text)):
            self.view.say(f"   {trouble}")


def notifier(session: Session, settings: Settings, timeouts: Timeouts) -> Notifier:
    """Create the Notifier of a run."""
    view = View(quiet=timeouts.quiet, known=(str(session.folder), str(session.cwd)))
    if settings.telegram is None:
        return Notifier(session, settings, view)
    from samocode.telegram.send import send  # optional, imported only if configured

    by_telegram = partial(send, settings.telegram, read_on=str(session.folder))
    return Notifier(session, settings, view, by_telegram)
