#!/usr/bin/env python3
"""Samocode: options -> session -> (gate, spawn, read, decide, record) until a stop."""

from samocode.clone import need_python

need_python()  # before the imports below, which need what it looks for

import errno
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

from samocode import cli, config, hook, policy, session, sessions, task, view
from samocode.clone import ENV_FILE, environment, open_streams
from samocode.config import Settings
from samocode.decision import Decision, Exit, Limits
from samocode.errors import UserError
from samocode.gate import Gate, terminal
from samocode.iteration import Iterations
from samocode.messenger import Messenger, go_on
from samocode.processes import become_reaper
from samocode.session import Session
from samocode.setup import prepare
from samocode.stop import StopRequest
from samocode.timing import Timing

LIMIT_STEP = 0.5  # seconds between two looks at the clock while waiting for the API
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
Texts = Mapping[str, str]
"""The human's words of this start, by kind: dive, task."""


def main(
    argv: Sequence[str] | None = None,
    timing: Timing | None = None,
    env_file: Path | None = ENV_FILE,
) -> int:
    """Run once; the exit code (protocol.md). Known trouble is a sentence, a bug its traceback."""
    open_streams()
    try:
        options = cli.parse(sys.argv[1:] if argv is None else argv)
        if options.check_signal:
            return hook.check_signal(options.check_signal)
        if options.demo:
            from samocode import demo

            return demo.play(run, timing or Timing())
        sessions.check_name(options.session or "")
        return run(options, config.load(options, environment(), env_file, Path.cwd()), timing)
    except UserError as error:
        for problem in error.problems:
            print(f"samocode: {problem}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        print(f"samocode: {error}: make room or give access, then go on.", file=sys.stderr)
        return Exit.FAILED
    except KeyboardInterrupt:  # before the loop took over the signals: nothing has begun
        return Exit.INTERRUPTED


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
        found = session.open_session(project, folder, settings.environ, repair=False)
        return show(found, settings, options)
    with sessions.locked(folder):
        found = session.open_session(project, folder, settings.environ)
        if not show_only:
            return Loop(found, settings, options, timing or Timing()).guarded(texts)
        if texts and found.pending_iteration():
            raise UserError(
                "A killed loop left an iteration of this session: run it once, then add."
            )
        StopRequest().install()  # a Ctrl-C would kill git at work and leave the worktree half made
        task.take(found, texts)
        found.ensure_worktree()
    return show(found, settings, options)


def show(found: Session, settings: Settings, options: cli.Options) -> int:
    """Where a session stands, and how to go on."""
    view.View().say(view.status(found, go_on(found, settings, options)))
    return Exit.DONE


@final
class Loop:
    """One run of one session, from its lock to a stop."""

    def __init__(
        self, found: Session, settings: Settings, options: cli.Options, timing: Timing
    ) -> None:
        self.session = found
        self.settings = settings
        self.stop = StopRequest()
        self.view = view.View(quiet=timing.quiet, known=(str(found.folder), str(found.cwd)))
        self.messenger = Messenger(found, settings, options, self.view)
        self.limits = Limits(settings.max_iterations, settings.max_cost, settings.max_wait)
        show, say = self.view.event, self.view.say
        self.iterations = Iterations(found, settings, self.limits, self.stop, timing, show, say)
        self.gate = Gate(found, self.stop, timing, say, self.messenger.questions)
        self.gate.pause = options.on_wait == "pause"
        self.gate.yes = options.yes
        self.gate.prompt = self.view.prompt
        self.gate.terminal = terminal()
        self.begun = False

    def guarded(self, texts: Texts) -> int:
        """`run`, with every way out of it on record and told to the human."""
        self.stop.install()
        become_reaper()
        try:
            return self.run(texts)
        except UserError as error:
            if error.exit_code == Exit.USAGE and not self.begun:
                raise
            code = Exit.BLOCKED if error.exit_code == Exit.USAGE else Exit(error.exit_code)
            return self.messenger.stop(code, "\n".join(error.problems))
        except Exception as error:
            if not self.session.folder.is_dir():
                why = "The session folder is gone: somebody removed it while the loop ran."
                return self.messenger.stop(Exit.FAILED, why)
            if isinstance(error, OSError) and error.errno in FULL_DISK:
                why = f"{error}: make room or give access, then go on. Nothing is lost."
                return self.messenger.stop(Exit.FAILED, why)
            self.messenger.stop(Exit.FAILED, f"a bug in samocode, please report it: {error!r}")
            raise

    def run(self, texts: Texts) -> int:
        """Iterations until a stop."""
        self.messenger.hello()
        done = self.session.history.past.done
        recovered = self.recover()
        known = task.take(self.session, texts)
        new = len(known) < len(texts)
        if known and self.session.history.past.iteration:
            words = " and ".join(f"--{kind}" for kind in known)
            self.view.say(f"The words of {words} stand in _task.md already: not added again.")
        if done is not None and not new:
            self.view.say(f"This session is done: {done}\nA new --task opens a new round.")
            return Exit.DONE
        if recovered and recovered.action == "stop" and not new:
            return self.messenger.stop(Exit(recovered.exit or 0), recovered.why)
        prepare(self.session, self.settings, self.stop, self.view.say)
        self.begun = True
        while True:
            passed = self.gate.passes()
            if passed == "waiting":
                return self.messenger.stop(Exit.WAITING, "")
            if self.stop.requested:
                how = "you" if self.stop.exit_code == Exit.INTERRUPTED else "a signal"
                return self.messenger.stop(Exit(self.stop.exit_code), f"Stopped by {how}.")
            capped = policy.before_spawn(self.session.history.past, self.limits)
            if capped:
                return self.messenger.stop(Exit.LIMIT, capped.why)
            decision = self.iterate()
            if decision.action == "stop":
                return self.messenger.stop(Exit(decision.exit or 0), decision.why)
            if policy.before_spawn(self.session.history.past, self.limits) is None:
                self.wait_for_api(decision)

    def recover(self) -> Decision | None:
        """What became of the iteration that a killed loop left behind; None when there is none."""
        ended = self.iterations.recover()
        if ended is None:
            return None
        outcome = ended.decision.outcome
        self.view.say(f"Iteration {ended.number} was left by a killed loop: {outcome}.")
        for line in ended.said:
            self.view.say(f"   _qa.md: {line}")
        return ended.decision

    def iterate(self) -> Decision:
        """One iteration, shown."""
        done = None if self.session.cwd.is_dir() else self.session.ensure_worktree()
        if done:
            self.view.say(done)
        restored = self.session.restore_overview()
        if restored:
            self.view.say(restored)
        self.view.iteration(self.session.history.past, self.settings.timeout)
        ended = self.iterations.run_next()
        self.view.ended(ended.decision, ended.run)
        for line in ended.said:
            self.view.say(f"   _qa.md: {line}")
        return ended.decision

    def wait_for_api(self, decision: Decision) -> None:
        """Sit out a back-off, or a usage limit: by the wall clock, never longer than max_wait."""
        now, until = time.time(), decision.until
        seconds = decision.delay if until is None else min(until - now, self.limits.max_wait)
        if seconds <= 0:
            return
        self.messenger.api_wait(decision.why, seconds, notify=until is not None)
        ends = time.monotonic() + seconds
        while not self.stop.requested and time.monotonic() < ends:
            if until is not None and time.time() >= until:  # a suspend stops the monotonic clock
                return
            time.sleep(min(LIMIT_STEP, seconds))


if __name__ == "__main__":
    sys.exit(main())
