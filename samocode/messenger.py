"""What the human is told at each wait and stop: on the screen, by Telegram, and on record."""

from __future__ import annotations

import contextlib
import shlex
import sys
import threading
import time
from dataclasses import dataclass

from samocode import __version__, telegram, view
from samocode.cli import Options
from samocode.clone import CLONE
from samocode.config import Settings
from samocode.decision import Exit
from samocode.session import Session

LAST_WORDS = 90.0  # seconds that the end waits for its message to be sent
HURRIED_WORDS = 5.0  # the same when a supervisor wants the loop gone


@dataclass(frozen=True)
class Messenger:
    """Speaks for one run of one session."""

    session: Session
    settings: Settings
    options: Options
    view: view.View

    def hello(self) -> None:
        """The first line of a run: model, permission mode, who pays."""
        settings = self.settings
        self.view.say(
            f"samocode {__version__}: session {self.session.name}, model {settings.model}, "
            f"permission mode {settings.permission_mode}, paid by {settings.payer}"
        )

    def questions(self, terminal: bool) -> None:
        """A wait at the gate begins: show the open questions and where to answer."""
        if self.options.on_wait == "exit":
            return  # the stop that follows says it all
        text = view.questions_text(self.session)
        self.view.say(f"\n{text}\n\n{view.how_to_answer(self.session, terminal)}")
        answer = view.how_to_answer(self.session, terminal=False)
        self.notify(f"samocode {self.session.name} waits for you\n\n{text}\n\n{answer}")

    def api_wait(self, why: str, seconds: float, notify: bool) -> None:
        """The loop will go on by itself after `seconds`. A failure was shown when it happened; a
        limit (`notify`) was not."""
        resumes = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + seconds))
        self.session.history.append("limit", why=why, until=resumes, seconds=round(seconds, 1))
        self.view.say(f"   {why}: going on at {resumes}" if notify else f"   next try at {resumes}")
        if notify:
            self.notify(f"samocode {self.session.name}: {why}, going on by itself at {resumes}")

    def stop(self, code: Exit, why: str) -> int:
        """The one way out of a run; returns the exit code. A full disk does not silence it."""
        with contextlib.suppress(OSError):
            self.session.history.append("stop", exit=int(code), why=why)
        text = view.stop_text(
            self.session, code, why, go_on(self.session, self.settings, self.options)
        )
        self.view.say("\n" + text)
        if code != Exit.INTERRUPTED:
            self.notify(text).join(LAST_WORDS if code != Exit.TERMINATED else HURRIED_WORDS)
        return code

    def notify(self, text: str) -> threading.Thread:
        """Send it by Telegram where that is set up, beside the loop: a server that never answers
        must not hold a gate. Trouble there is shown and changes nothing."""
        sending = threading.Thread(target=self._send, args=(text,), daemon=True)
        sending.start()
        return sending

    def _send(self, text: str) -> None:
        if self.settings.telegram and (
            trouble := telegram.send(self.settings.telegram, text, read_on=str(self.session.folder))
        ):
            self.view.say(f"   {trouble}")


def go_on(session: Session, settings: Settings, options: Options) -> str:
    """The exact command that goes on from here; at the cost limit with an N for the person to
    choose, since the same limit would stop it again at once."""
    file, name = str(settings.project.file), session.name
    words = [sys.executable, str(CLONE / "main.py"), "--config", file, "--session", name]
    given = {
        "--model": options.model,
        "--timeout": options.timeout,
        "--max-iterations": options.max_iterations,
        "--max-cost": options.max_cost,
        "--on-wait": options.on_wait if options.on_wait == "exit" else None,
    }
    past, cap = session.history.past, settings.max_cost
    ended = past.last is not None and past.last.outcome == "budget"  # a fraction of a cent below it
    reached = cap is not None and (past.cost_usd >= cap or ended)
    if reached:
        del given["--max-cost"]
    words += [word for flag, value in given.items() if value for word in (flag, f"{value}")]
    return shlex.join(words) + f" {view.RAISED}" * reached
