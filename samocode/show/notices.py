"""What the human is told at each wait and stop: on the screen and by Telegram."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from samocode import __version__
from samocode.child.shutdown import Shutdown
from samocode.decide.facts import Pause
from samocode.decide.money import used_up
from samocode.gate.approval import plan_text
from samocode.gate.gate import Terminal
from samocode.pages.names import QA
from samocode.record.exits import ExitCode, Stop
from samocode.session import Session
from samocode.settings.clone import at_terminal
from samocode.settings.flags import resume_command
from samocode.settings.load import Settings
from samocode.settings.timeouts import Timeouts
from samocode.show import status
from samocode.show.columns import wrap
from samocode.show.live import BOLD, View
from samocode.show.screen import Screen
from samocode.show.text import money, span, step

LAST_WORDS = 90.0  # seconds that the end waits for its message to be sent
HURRIED_WORDS = 5.0  # the same when a supervisor wants the loop gone


class Notifier(NamedTuple):
    """Speaks for one run of one session."""

    session: Session
    settings: Settings
    view: View
    send: Callable[[str], str | None] | None = None
    """Sends a text by Telegram and returns what went wrong; None where that is not set up."""

    def hello(self) -> None:
        """The first lines of a run: session, phase, model, permission mode, who pays, caps."""
        settings, state = self.settings, self.session.state
        most = settings.max_cost
        cost = "no cost limit" if most is None else f"{most:.2f}".removesuffix(".00") + " USD"
        limits = f"{settings.max_iterations} iterations of {span(settings.timeout)} each, {cost}"
        by_phase = ", ".join(f"{phase} {model}" for phase, model in settings.models.items())
        facts = {
            "Phase": step(state.phase),
            "Model": f"{settings.model}, permission mode {settings.permission_mode}",
            **({"Phases": by_phase} if by_phase else {}),
            "Paid by": settings.paid_by,
            "Works in": str(self.session.cwd),
            "Limits": f"{limits} ({money(state)})",
        }
        self.view.header(f"samocode {__version__}: session {self.session.name}", facts)

    def terminal(self, poll: float) -> Terminal | None:
        """Where a person can type answers, None when nobody can; looked at every `poll` seconds."""
        if not at_terminal():
            return None
        from samocode.terminal.typed import Room, TypedAnswers

        screen = self.view.screen
        if not screen.moves:  # `| tee log`: there is a terminal all the same
            with contextlib.suppress(OSError):
                out = Path("/dev/tty").open("w", encoding="utf-8")  # noqa: SIM115 - lives as long as we
                other = Screen(out, self.settings.environ, shared=True)
                screen = other if other.moves else screen
        where = str(self.session.folder / QA)
        room = Room(screen, screen.moves, self.view.fit, self.show_question, self.plan, where)
        return TypedAnswers(sys.stdin.fileno(), room, poll)

    def plan(self, name: str) -> str | None:
        """A plan's text, broken to fit."""
        text = plan_text(self.session, name)
        return None if text is None else wrap(text, self.view.screen.columns)

    def show_question(self, number: int) -> None:
        """Show one question, for the prompt that follows."""
        text = status.question_text(self.session, number, self.view.screen.columns)
        title, _, rest = text.partition("\n")
        self.view.say(f"\n{title}", BOLD)
        self.view.say(rest)

    def questions(self, terminal: bool) -> None:
        """A wait at the gate begins: show the open questions and where to answer."""
        if self.settings.on_wait == "exit":
            return  # the stop that follows says it all
        text, count = status.questions_text(self.session), len(self.session.state.open)
        how = status.how_to_answer(self.session, terminal)
        few = f"{count} questions wait for you." if count > 1 else "A question waits for you."
        self.view.say(f"\n{few}\n{how}" if terminal else f"\n{text}\n\n{how}")
        answer = status.how_to_answer(self.session, terminal=False)
        self.notify(f"samocode {self.session.name} waits for you\n\n{text}\n\n{answer}")

    def pause(self, pause: Pause, seconds: float) -> None:
        """The loop will go on by itself after `seconds`. A failure was shown when it happened; a
        usage limit was not."""
        resumes = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + seconds))
        if pause.until is None:
            self.view.say(f"   next try at {resumes}")
            return
        self.view.say(f"   {pause.why}: going on at {resumes}")
        self.notify(f"samocode {self.session.name}: {pause.why}, going on by itself at {resumes}")

    def tell(self, stop: Stop) -> None:
        """The last words of a run."""
        text = status.stop_text(self.session, stop, self.command())
        self.view.say("\n" + text)
        if not stop.seen:
            hurried = stop.code == ExitCode.TERMINATED
            self.notify(text).join(HURRIED_WORDS if hurried else LAST_WORDS)

    def show_status(self) -> None:
        """Where the session stands, and how to go on."""
        self.view.say(status.status(self.session, self.command()))

    def command(self) -> str:
        """The command that goes on from here."""
        cap = self.settings.max_cost
        reached = cap is not None and used_up(self.session.state, cap)
        return resume_command(self.settings, self.session.name, reached)

    def notify(self, text: str) -> threading.Thread:
        """Send it by Telegram where that is set up, beside the loop: a server that never answers
        must not hold a gate. Trouble there is shown and changes nothing."""
        sending = threading.Thread(target=self._send, args=(text,), daemon=True)
        sending.start()
        return sending

    def _send(self, text: str) -> None:
        if self.send and (trouble := self.send(text)):
            self.view.say(f"   {trouble}")


def notifier(
    session: Session, settings: Settings, timeouts: Timeouts, shutdown: Shutdown | None = None
) -> Notifier:
    """The Notifier of a run, with a view that shortens the session's paths. While `shutdown` waits
    a line moves, and what it says after Ctrl-C replaces that line."""
    known = (str(session.folder), str(session.cwd))
    view = View(None, settings.environ, timeouts.quiet, known, settings.quiet)
    if shutdown and view.screen.here:
        shutdown.tick, shutdown.fresh = view.tick, b"\r\x1b[J"
    if settings.telegram is None:
        return Notifier(session, settings, view)
    from samocode.telegram.send import send  # a leaf: only where it is set up

    by_telegram = partial(send, settings.telegram, read_on=str(session.folder))
    return Notifier(session, settings, view, by_telegram)
