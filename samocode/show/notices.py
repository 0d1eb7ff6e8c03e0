"""Notifies the human of each wait and stop: on the screen, by Telegram and by a command."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from samocode import __version__
from samocode.child.processes import run_beside
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
from samocode.show import brief, report, status
from samocode.show.columns import clip, wrap
from samocode.show.live import View
from samocode.show.screen import BOLD, PIPED, Screen
from samocode.show.text import TITLES, money, span, step

if TYPE_CHECKING:  # a leaf: imported where it is set up
    from samocode.telegram.phone import Phone

UNREACHED = 15.0  # seconds for the last message if Telegram never answered in this run
LEAVING = 60.0  # the same with --on-wait exit
HURRIED = 5.0  # the same after SIGTERM
COMMAND_LIMIT = 30.0  # seconds for SAMOCODE_NOTIFY_COMMAND
PAUSED = 600.0  # seconds for the notice of a usage limit
STEP = 0.1  # seconds between two checks whether the last message has arrived


class Notifier(NamedTuple):
    """Shows and sends the notices of one run."""

    session: Session
    settings: Settings
    timeouts: Timeouts
    view: View
    shutdown: Shutdown
    phone: Phone | None = None
    """The phone, None where Telegram is not set up."""

    def hello(self) -> None:
        """Print the first lines of a run (session, phase, model, permission mode, who pays, caps),
        and start to use Telegram."""
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
        if self.phone:
            self.phone.start()

    def terminal(self, poll: float) -> Terminal | None:
        """Where a person can type answers; None if nobody can. It waits at most `poll` seconds for
        a key."""
        if not at_terminal():
            return None
        from samocode.terminal.typed import Room, TypedAnswers

        screen = self.view.screen
        if not screen.moves:  # `| tee log`: there is a terminal, but stdout is a pipe
            with contextlib.suppress(OSError):
                out = Path("/dev/tty").open("w", encoding="utf-8")  # noqa: SIM115 - open until exit
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
        asked = status.questions(self.session)[number]
        text = status.for_screen(asked, self.view.screen.columns)
        title, _, rest = text.partition("\n")
        self.view.say(f"\n{title}", BOLD)
        self.view.say(rest)

    def questions(self, terminal: bool) -> None:
        """A wait at the gate begins: show the open questions and where to answer."""
        if self.settings.on_wait == "exit":
            return  # the text of the stop shows the questions
        text, count = status.questions_text(self.session), len(self.session.state.open)
        how = status.how_to_answer(self.session, terminal)
        few = f"{count} questions wait for you." if count > 1 else "A question waits for you."
        self.view.say(f"\n{few}\n{how}" if terminal else f"\n{text}\n\n{how}")
        self.command("question", "waits for you", text)  # Telegram shows them already

    def pause(self, pause: Pause, seconds: float) -> None:
        """The loop will go on by itself after `seconds`. A failure was shown when it happened; a
        usage limit was not."""
        resumes = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + seconds))
        if pause.until is None:
            self.view.say(f"   next try at {resumes}")
            return
        self.view.say(f"   {pause.why}: going on at {resumes}")
        onward = f"It goes on by itself at {resumes[11:16]}."
        if self.phone:
            self.phone.notice(f"{pause.why}\n\n{onward}", PAUSED)
        self.command("pause", pause.why, onward)

    def tell(self, stop: Stop) -> None:
        """Show and send how a run ended. The session is unlocked, except after a bug: another loop
        may run it."""
        if self.phone:
            self.phone.leave()
        text = status.stop_text(self.session, stop, self.resume())
        self.view.say("\n" + text)
        if stop.code == ExitCode.DONE and self.settings.report_at_done == "on":
            self.write_report()
        if stop.seen:
            return
        seconds = self.timeouts.last_message
        if stop.code in (ExitCode.TERMINATED, ExitCode.WAITING):
            seconds = min(HURRIED if stop.code == ExitCode.TERMINATED else LEAVING, seconds)
        elif self.phone and not self.phone.reached:
            seconds = min(UNREACHED, seconds)
        short = brief.stop_text(self.session, stop, self.resume())
        title = TITLES[stop.code]
        if self.phone:
            self.phone.notice(f"{title}\n\n{short}", seconds)
        if stop.code == ExitCode.WAITING:  # the phone has them already
            short += f"\n\n{status.questions_text(self.session)}"
        self._wait_for(self.command("stop", title, short, stop.code), seconds)

    def write_report(self) -> None:
        """Write `_report.html`. The session is recorded as done, so no failure here, not even a
        bug, may change the exit code."""
        try:
            self.view.say(f"Report: {report.write(self.session, running=False)}")
        except Exception as error:
            self.view.say(f"   No report was written: {clip(str(error) or repr(error), PIPED)}")

    def _wait_for(self, command: threading.Thread | None, seconds: float) -> None:
        """Wait until everything is sent. A signal ends this wait at once."""
        until, before = time.monotonic() + seconds, self.shutdown.signals
        while (self.phone and self.phone.busy) or (command and command.is_alive()):
            if time.monotonic() > until or self.shutdown.signals > before:
                self.view.say("   The last message may not have arrived.")
                return
            self.shutdown.wait(STEP)

    def show_status(self) -> None:
        """Show the status of the session, and the command that resumes it."""
        self.view.say(status.status(self.session, self.resume()))

    def resume(self) -> str:
        """The command that resumes the session."""
        cap = self.settings.max_cost
        reached = cap is not None and used_up(self.session.state, cap)
        return resume_command(self.settings, self.session.name, reached)

    def command(
        self, event: str, title: str, text: str, code: int | None = None
    ) -> threading.Thread | None:
        """Start SAMOCODE_NOTIFY_COMMAND, if it is set, with the notice as JSON on its stdin. It
        runs beside the loop; its failure is shown and changes nothing."""
        if not self.settings.notify_command:
            return None
        name = self.session.name
        notice = {"session": name, "event": event, "title": f"{name}: {title}"}
        notice |= {"text": f"{name}: {title}\n\n{text}"}
        running = threading.Thread(target=self._run_command, args=(notice, code), daemon=True)
        running.start()
        return running

    def _run_command(self, notice: Mapping[str, str], code: int | None) -> None:
        if trouble := hand_over(self.settings, notice, code):
            self.view.say(f"   {trouble}")


def hand_over(settings: Settings, notice: Mapping[str, str], code: int | None = None) -> str | None:
    """Run SAMOCODE_NOTIFY_COMMAND with a notice. Return what went wrong."""
    data = json.dumps({**notice, "exit": code}).encode() + b"\n"
    trouble = run_beside(settings.notify_command or "", settings.environ, data, COMMAND_LIMIT)
    return f"SAMOCODE_NOTIFY_COMMAND failed: {trouble}" if trouble else None


def notifier(
    session: Session, settings: Settings, timeouts: Timeouts, shutdown: Shutdown
) -> Notifier:
    """The Notifier of a run, with a view that shortens the session's paths. While `shutdown` waits,
    the view's line moves; the message of `shutdown` after Ctrl-C replaces that line."""
    known = (str(session.folder), str(session.cwd))
    view = View(None, settings.environ, timeouts.quiet, known, settings.quiet)
    if view.screen.here:
        shutdown.tick, shutdown.fresh = view.tick, b"\r\x1b[J"
    if settings.telegram is None:
        return Notifier(session, settings, timeouts, view, shutdown)
    from samocode.telegram.phone import Around, Phone  # a leaf: only where it is set up

    waits, now = settings.on_wait == "pause", partial(brief.status_text, session)
    around = Around(view.say, now, shutdown, waits, timeouts.reach)
    phone = Phone(session, settings.telegram, settings.environ, around)
    return Notifier(session, settings, timeouts, view, shutdown, phone)
