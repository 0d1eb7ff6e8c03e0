#!/usr/bin/env python3
"""Samocode: options -> session -> (gate, spawn, read, decide, record) until a stop. See
README.md."""

from __future__ import annotations

from samocode.clone import need_python

need_python()  # before the imports below, which need what it looks for

import contextlib
import errno
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import final

from samocode import __version__, cli, config, hook, policy, session, sessions, telegram, view
from samocode.clone import CLONE, ENV_FILE, environment
from samocode.config import Settings
from samocode.decision import Decision, Exit, Limits
from samocode.errors import UserError
from samocode.gate import Gate, terminal
from samocode.iteration import Iterations
from samocode.processes import become_reaper
from samocode.session import Session
from samocode.setup import prepare
from samocode.stop import StopRequest
from samocode.timing import Timing

LIMIT_STEP = (
    0.5  # seconds between two looks at the clock and the stop request while waiting for the API
)
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def main(argv: Sequence[str] | None = None, timing: Timing | None = None) -> int:
    """Run once; the exit code (protocol.md). Known trouble is told in a sentence, a bug shows its
    traceback."""
    try:
        options = cli.parse(sys.argv[1:] if argv is None else argv)
        if options.check_signal:
            return hook.check_signal(options.check_signal)
        if options.demo:
            from samocode import demo

            return demo.play(run, timing or Timing())
        return run(
            options,
            config.load(options, environment(), ENV_FILE, Path.cwd()),
            timing,
        )
    except UserError as error:
        for problem in error.problems:
            print(f"samocode: {problem}", file=sys.stderr)
        return error.exit_code


def run(options: cli.Options, settings: Settings, timing: Timing | None = None) -> int:
    """Find or make the session, then run it or (--max-iterations 0) only show it."""
    name, project = options.session or "", settings.project
    texts = {kind: text for kind, text in (("dive", options.dive), ("task", options.task)) if text}
    folder = sessions.find(project.sessions, name)
    made = folder is None
    if folder is None:
        if not texts:
            near = sessions.nearest(project.sessions, name)
            raise UserError(
                f"There is no session {name!r}.{near} To begin it, add --task or --dive."
            )
        folder = sessions.create(project, name, texts, settings.environ)
    show_only = options.max_iterations == 0
    if show_only and not made and not texts:
        print(view.status(session.open_session(project, folder, settings.environ, repair=False)))
        return Exit.DONE
    with sessions.locked(folder):
        found = session.open_session(project, folder, settings.environ)
        loop = Loop(found, settings, options, timing or Timing())
        if show_only:
            loop.take(texts)
            found.ensure_worktree()
            print(view.status(found))
            return Exit.DONE
        return loop.guarded(texts)


@final
class Loop:
    """One run of one session, from its lock to a stop."""

    def __init__(
        self, found: Session, settings: Settings, options: cli.Options, timing: Timing
    ) -> None:
        self.session = found
        self.settings = settings
        self.options = options
        self.stop = StopRequest()
        self.view = view.View(quiet=timing.quiet)
        self.limits = Limits(settings.max_iterations, settings.max_cost, settings.max_wait)
        show, say = self.view.event, self.view.say
        self.iterations = Iterations(found, settings, self.limits, self.stop, timing, show, say)
        self.gate = Gate(found, self.stop, timing, say, self._begin_wait)
        self.gate.pause = options.on_wait == "pause"
        self.gate.yes = options.yes
        self.gate.terminal = terminal()

    def guarded(self, texts: dict[str, str]) -> int:
        """`run`, with every way out of it on record and told to the human."""
        self.stop.install()
        become_reaper()
        try:
            return self.run(texts)
        except UserError as error:
            if error.exit_code == Exit.USAGE:
                raise
            return self.finish(Exit(error.exit_code), "\n".join(error.problems))
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FULL_DISK:
                return self.finish(
                    Exit.FAILED, f"{error}: make room or give access, then go on. Nothing is lost."
                )
            self.finish(
                Exit.FAILED, f"a bug in samocode: {error!r}; please report it with the traceback."
            )
            raise

    def run(self, texts: dict[str, str]) -> int:
        """Iterations until a stop."""
        self.view.say(self._first_line())
        recovered = self.iterations.recover()
        if recovered:
            self.view.say(
                f"Iteration {recovered.number} was left by a killed loop: "
                f"{recovered.decision.outcome}."
            )
        new = self.take(texts)
        past = self.session.history.past
        if past.done is not None and not (recovered and recovered.decision.outcome == "done"):
            self.view.say(f"This session is done: {past.done}\nA new --task opens a new round.")
            return Exit.DONE
        if recovered and recovered.decision.action == "stop" and not new:
            return self.finish(Exit(recovered.decision.exit or 0), recovered.decision.why)
        prepare(self.session, self.settings, self.stop, self.view.say)
        while True:
            passed = self.gate.passes()
            if passed == "waiting":
                return self.finish(Exit.WAITING, "")
            if self.stop.requested:
                return self.finish(Exit(self.stop.exit_code), "stopped by you; nothing is lost.")
            if capped := policy.before_spawn(self.session.history.past, self.limits):
                return self.finish(Exit.LIMIT, capped.why)
            decision = self.iterate()
            if decision.action == "stop":
                return self.finish(Exit(decision.exit or 0), decision.why)
            self.wait_for_api(decision)

    def take(self, texts: dict[str, str]) -> bool:
        """Put new words of the human on record; whether there were any."""
        self.session.restore_task()
        new = [self.session.add_text(kind, text) for kind, text in texts.items()]
        return any(new)

    def iterate(self) -> Decision:
        """One iteration, shown."""
        if not self.session.cwd.is_dir() and (done := self.session.ensure_worktree()):
            self.view.say(done)
        if self.session.restore_overview():
            self.view.say("_overview.md was missing or empty: the skeleton is back.")
        self.view.iteration(self.session.history.past, self.settings.timeout)
        ended = self.iterations.run_next()
        self.view.ended(
            ended.decision, ended.run.seconds, ended.run.facts.cost_usd, ended.run.left_over
        )
        for line in ended.said:
            self.view.say(f"   _qa.md: {line}")
        return ended.decision

    def wait_for_api(self, decision: Decision) -> None:
        """Sit out a usage limit (by the wall clock, never longer than max_wait) or a back-off."""
        now = time.time()
        seconds = (
            decision.delay
            if decision.until is None
            else min(decision.until - now, self.limits.max_wait)
        )
        if seconds <= 0:
            return
        resumes = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now + seconds))
        self.session.history.append(
            "limit", why=decision.why, until=resumes, seconds=round(seconds, 1)
        )
        self.view.say(f"   {decision.why}: going on at {resumes}")
        if decision.until is not None:
            self.notify(
                f"samocode {self.session.name}: {decision.why}, going on by itself at {resumes}"
            )
        ends = time.monotonic() + seconds
        while not self.stop.requested and time.monotonic() < ends:
            if (
                decision.until is not None and time.time() >= decision.until
            ):  # woken from suspend: monotonic slept too
                return
            time.sleep(min(LIMIT_STEP, seconds))

    def finish(self, code: Exit, why: str) -> int:
        """The one way out: on record, on the screen, by Telegram; the exit code."""
        with contextlib.suppress(OSError):
            self.session.history.append("stop", exit=int(code), why=why)
        text = view.stop_text(self.session, code, why, self._go_on())
        self.view.say("\n" + text)
        if code != Exit.INTERRUPTED:
            self.notify(text)
        return code

    def notify(self, text: str) -> None:
        """Tell the human by Telegram, where it is set up; trouble there is shown and changes
        nothing."""
        if self.settings.telegram and (trouble := telegram.send(self.settings.telegram, text)):
            self.view.say(f"   {trouble}")

    def _begin_wait(self) -> None:
        if self.gate.pause:
            text = f"{view.questions_text(self.session)}\n\n"
            self.view.say(
                "\n" + text + view.how_to_answer(self.session, self.gate.terminal is not None)
            )
            answer = view.how_to_answer(self.session, terminal=False)
            self.notify(f"samocode {self.session.name} waits for you\n\n{text}{answer}")

    def _first_line(self) -> str:
        settings = self.settings
        return (
            f"samocode {__version__}: session {self.session.name}, model {settings.model}, "
            "permission mode "
            f"{settings.permission_mode}, paid by {config.payer(settings.environ)}"
        )

    def _go_on(self) -> list[str]:
        """The exact command that goes on from here."""
        flags = ["--on-wait", "exit"] if self.options.on_wait == "exit" else []
        main_py = str(CLONE / "main.py")
        config_file = str(self.settings.project.file)
        return [
            sys.executable,
            main_py,
            "--config",
            config_file,
            "--session",
            self.session.name,
            *flags,
        ]


if __name__ == "__main__":
    sys.exit(main())
