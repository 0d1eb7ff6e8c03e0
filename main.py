#!/usr/bin/env python3
"""Run the Claude CLI in a loop, one process per iteration, until a session is done or blocked."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]  # PYTHONSAFEPATH omits the script's folder

from samocode.settings.clone import ENV_FILE, environment, need_python, open_streams

need_python()  # before the imports below: they need Python 3.11 and the packages

given = dict[str, str]()
if __name__ == "__main__":  # the Stop hook and --help exit before the slow imports
    if len(sys.argv) == 3 and sys.argv[1] == "--check-signal":
        from samocode.decide.hook import check_signal

        sys.exit(check_signal(Path(sys.argv[2]), environment()))
    from samocode.settings.flags import parse

    given = parse(sys.argv[1:])

from collections.abc import Mapping
from typing import TYPE_CHECKING, final

from samocode import naming, sessions, task
from samocode.child.command import prompt
from samocode.child.processes import become_reaper
from samocode.child.shutdown import Shutdown
from samocode.decide import policy
from samocode.decide.facts import Limits, Pause
from samocode.decide.hook import check_signal
from samocode.gate.answers import Answers
from samocode.gate.gate import Gate
from samocode.iteration import Iterations
from samocode.lock import locked
from samocode.prepare import prepare
from samocode.record.exits import ExitCode, Stop, UserError, known_trouble
from samocode.session import Session, open_session
from samocode.settings.flags import user_texts
from samocode.settings.load import Settings, here
from samocode.settings.timeouts import Timeouts
from samocode.task import Texts

if TYPE_CHECKING:  # the optional packages are imported when used
    from samocode.show.notices import Notifier


def main(flags: Mapping[str, str], timeouts: Timeouts, env_file: Path | None = ENV_FILE) -> int:
    """Run the program and return its exit code. A known error is shown without a traceback."""
    open_streams()
    try:
        if "--check-signal" in flags:
            return check_signal(Path(flags["--check-signal"]), environment())
        if "--demo" in flags:
            from samocode import demo

            return demo.play(run, timeouts)
        if "--check" in flags:
            from samocode.check import report

            return report.check(flags, environment(), env_file, here(), timeouts)
        return run(Settings(flags, environment(), env_file, here()), timeouts)
    except (UserError, OSError) as error:
        trouble = known_trouble(error)
        if trouble is None:
            raise
        for problem in error.problems if isinstance(error, UserError) else (trouble.why,):
            print(f"samocode: {problem}", file=sys.stderr)
        return trouble.code
    except KeyboardInterrupt:  # the loop has not installed its signal handlers yet
        return ExitCode.INTERRUPTED


def run(settings: Settings, timeouts: Timeouts) -> int:
    """Find or create the session and run it, or only look at it (--status, --watch, ...)."""
    if settings.looks:
        from samocode.show.looks import look

        return look(settings, timeouts)
    from samocode.show.notices import notifier

    texts, project = user_texts(settings), settings.project
    repository = sessions.repository_of(settings)
    name = settings.session or naming.session(project, repository, texts)
    by_hand = bool(settings.session) and settings.on_wait == "pause"  # else a queue, for example
    folder, made = sessions.find_or_create(project, name, texts, repository, by_hand)
    said = sessions.hand_over(folder, texts) if texts else ""
    if said:
        print(f"{folder.name} is running. {said}")
        return ExitCode.DONE
    shutdown = Shutdown()
    shutdown.install()  # before the lock file names this process, which --stop signals
    with locked(folder), sessions.all_or_nothing(folder, made):
        session = open_session(project.main_repo, folder, repository)
        notices, stop = notifier(session, settings, timeouts, shutdown), None
        if settings.max_iterations > 0:
            stop = Loop(session, settings, timeouts, notices, shutdown).run(texts)
        else:
            task.make(session, texts, notices.view.say)
    if settings.max_iterations == 0:
        notices.show_status()
    if stop:
        notices.tell(stop)  # without the lock, since the last message may take minutes
    return stop.code if stop else ExitCode.DONE


@final
class Loop:
    """One run of a session: iterations until a Stop."""

    def __init__(
        self, session: Session, settings: Settings, timeouts: Timeouts, notifier: "Notifier",
        shutdown: Shutdown,
    ) -> None:  # fmt: skip
        self.session, self.settings = session, settings
        self.notifier, self.view, self.limits = notifier, notifier.view, Limits.of(settings)
        self.shutdown, answers = shutdown, Answers(session, self.view.say)
        common = (prompt(session.folder), self.limits, self.shutdown, timeouts, self.view.say)
        self.iterations = Iterations(session, answers, settings, *common)
        self.gate = Gate(
            session, answers, self.shutdown, timeouts, notifier.questions,
            may_wait=settings.on_wait == "pause", yes=settings.yes,
            terminal=notifier.terminal(timeouts.poll), phone=notifier.phone,
        )  # fmt: skip

    def run(self, texts: Texts) -> Stop | None:
        """Run until a Stop and record it; None if the session was done before. A known error
        becomes a Stop, except a usage error during the preparation."""
        become_reaper()
        self.notifier.hello()
        done = task.done(self.session, self.view.say)
        if done is not None and not task.new(self.session, texts):
            task.take(self.session, texts, self.view.say)
            self.view.say(f"This session is done: {done}\nA new --task opens a new round.")
            return None
        ready = False
        try:
            stop = prepare(self.iterations, texts)
            ready = True
            stop = stop or self.until_stop()
        except Exception as error:
            trouble = known_trouble(error, self.session.folder)
            if trouble is None:
                stop = Stop(ExitCode.FAILED, f"a bug in samocode, please report: {error!r}")
                self.notifier.tell(self.session.record_stop(stop))
                raise
            if trouble.code == ExitCode.USAGE and not ready:  # no child of this run has started
                raise
            usage = trouble.code == ExitCode.USAGE
            stop = trouble._replace(code=ExitCode.BLOCKED) if usage else trouble
        return self.session.record_stop(stop)

    def until_stop(self) -> Stop:
        """Run iterations until the gate, a cap or an iteration stops the loop."""
        while True:
            stop = self.gate.wait() or policy.cap(self.session.state, self.limits) or self.step()
            if stop:
                return stop

    def step(self) -> Stop | None:
        """Run one iteration, and wait if its decision asks for a pause."""
        decision = self.iterations.run_next(self.view)
        if decision is None:
            return self.shutdown.stop
        if decision.pause and not policy.cap(self.session.state, self.limits):
            self.wait_for_api(decision.pause)
        return decision.stop

    def wait_for_api(self, pause: Pause) -> None:
        """Wait after an outage, a crash or a usage limit. A stop request ends the wait."""
        seconds = pause.length(self.limits.max_wait)
        if seconds > 0:
            self.session.record_pause(pause, seconds)
            self.notifier.pause(pause, seconds)
            self.shutdown.sleep(seconds, pause.until)


if __name__ == "__main__":
    sys.exit(main(given, Timeouts()))
