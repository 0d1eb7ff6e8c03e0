"""One iteration: start it, run the child, collect facts, decide, verify, record."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from samocode import task, verify
from samocode.child import account, processes
from samocode.child import run as claude
from samocode.child.shutdown import Shutdown
from samocode.child.stream import Event, RunResult
from samocode.decide import facts, policy
from samocode.decide.facts import Decision, Limits
from samocode.gate.answers import Answers
from samocode.pages.compare import Mark
from samocode.record.fold import Line
from samocode.record.state import SessionState
from samocode.session import Session
from samocode.settings.load import Settings
from samocode.settings.timeouts import Timeouts


class View(Protocol):
    """Shows an iteration (samocode/show)."""

    def iteration(self, state: SessionState) -> None:
        """The pending iteration has begun."""
        ...

    def event(self, event: Event | None) -> None:
        """The child printed this; None while it is silent."""
        ...

    def ended(self, line: Line) -> None:
        """The iteration has ended; `line` is its history line."""
        ...


class Iterations(NamedTuple):
    """Runs the iterations of one session."""

    session: Session
    answers: Answers
    settings: Settings
    prompt: bytes
    limits: Limits
    shutdown: Shutdown
    timeouts: Timeouts
    say: Callable[[str], None]

    def run_next(self, view: View) -> Decision | None:
        """Run one iteration, shown by `view`. Return None if SETUP or VERIFY was interrupted. If
        the account is known to have reached a limit, no iteration begins: the decision has the
        pause, or the stop."""
        if limited := self._limited():
            return limited
        for line in self.session.restore():
            self.say(line)
        if not self._set_up():
            return None
        state, settings = self.session.state, self.settings
        again = bool(state.strikes or state.cut_off or state.api_waited)
        model = settings.model_for(state.phase, again)
        job, before = self.session.begin(settings.timeout, self.limits, model)
        view.iteration(state)
        run = claude.run(self.settings, self.prompt, job, self.shutdown, self.timeouts, view.event)
        decision, ended = self._conclude(run, before)
        if decision:
            view.ended(ended)
        return decision

    def _set_up(self) -> bool:
        return verify.set_up(self.session, self.settings, self.shutdown, self.say)

    def _limited(self) -> Decision | None:
        state = self.session.state
        hint = account.hint(self.settings, state.restarted)
        wait = policy.heed(hint, time.time(), self.limits, self.timeouts) if hint else None
        return Decision("limited", state.phase).then(wait) if wait else None

    def recover(self) -> Decision | None:
        """Finish the iteration that a killed loop left, if any. Processes that the killed loop left
        running, SETUP's too, are ended first."""
        session = self.session
        pending = session.state.pending
        if pending is None and not session.state.setting_up:
            return None
        left = processes.end_orphans(session.folder, self.timeouts.term_grace)
        if pending is None:
            return None
        run = claude.recover(session.logs / Path(pending.log).name)
        decision, _ = self._conclude(run._replace(left_over=tuple(map(str, left))), None)
        if decision:
            left_at = f"Iteration {pending.n}, which the last run did not finish"
            self.say(f"{left_at}, ended as: {decision.outcome}.")
        return decision

    def _conclude(self, run: RunResult, before: Mark | None) -> tuple[Decision | None, Line]:
        """Decide and record. `before` is None after a kill. There is no decision if SETUP or
        VERIFY was interrupted: the next start reads the signal again."""
        session = self.session
        tampered = session.put_back(before, self.say)
        if session.top and not session.top.is_dir() and (made := session.ensure_worktree()):
            self.say(f"   the worktree was gone: {made}")
            if not self._set_up():
                return None, {}
        found = facts.read(
            session.folder, session.state, session.checkout, run,
            before, tampered, self.shutdown.requested,
        )  # fmt: skip
        account.note(self.settings, session.folder.name, run)
        decided = policy.decide(found, session.state, self.limits, self.timeouts)
        line: Line = {}
        decision = verify.confirm(decided, session, self.settings, self.shutdown, self.say)
        if decision:
            self.answers.after_child()
            line = session.record(found, decision)
            self.answers.page.print()
            if decision.outcome == "done" and task.done(session, self.say) is None:
                decision = decision._replace(stop=None)
        return decision, line
