"""One iteration: write what the child needs, run it, read the facts, decide, and put it on
record."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from samocode import claude, files, policy, processes, questions, signals, snapshot
from samocode.config import Settings
from samocode.decision import Decision, Facts, Limits
from samocode.events import Event
from samocode.history import local_now
from samocode.questions import Document, Question
from samocode.session import QA, Session
from samocode.settled import Settled
from samocode.snapshot import Snapshot
from samocode.stop import StopRequest
from samocode.timing import Timing

VERIFY_LINES = 50  # of a failed VERIFY's output, told to the next iteration
MAX_SETTLE = 10.0  # seconds that the loop waits for a human's editor to finish a save


@dataclass(frozen=True)
class Ended:
    """A recorded iteration and what the loop does next."""

    number: int
    decision: Decision
    run: claude.Run
    said: tuple[str, ...] = ()
    """What the loop put right in `_qa.md`."""


@dataclass(frozen=True)
class Iterations:
    """Runs the iterations of one session; `show` gets the child's events as they come."""

    session: Session
    settings: Settings
    limits: Limits
    stop: StopRequest
    timing: Timing
    show: Callable[[Event | None], None]
    say: Callable[[str], None]

    def run_next(self) -> Ended:
        """Start a child and see it through. Deleting the old signal comes before everything else:
        killed at any point, nothing old looks fresh."""
        session, past = self.session, self.session.history.past
        number, now = past.iteration + 1, local_now()
        before = snapshot.take(session)
        files.remove(session.folder / signals.FILE)
        log = session.log(number, past.phase, now)
        session.write_iteration(self._note(number) | {"log": log.name})
        budget = policy.left_to_spend(past, self.limits)
        limit = self.settings.timeout
        job = claude.Job(session.folder, session.cwd, log, limit, budget, session.top)
        run = claude.run(self.settings, job, self.stop, self.timing, self.show)
        return self._evaluate(run, number, log, before)

    def recover(self) -> Ended | None:
        """End what a killed loop left running, and evaluate its unrecorded iteration once; None if
        there is none."""
        left = processes.end_tree(self.session.folder, None, self.timing.term_grace)
        pending = self.session.pending_iteration()
        if pending is None:
            return None
        log = self.session.logs / Path(str(pending.get("log"))).name
        run = replace(claude.recover(log), left_over=tuple(map(str, left)))
        return self._evaluate(run, self.session.history.past.iteration + 1, log, None)

    def _note(self, number: int) -> dict[str, object]:
        past, now = self.session.history.past, local_now()
        last = past.last
        previous = (
            {"iteration": last.n, "outcome": last.outcome, "note": last.note} if last else None
        )
        return {
            "iteration": number,
            "phase": past.phase,
            "stamp": f"{now:%m-%d-%H:%M}",
            "deadline": (now + timedelta(seconds=self.settings.timeout)).isoformat(
                timespec="seconds"
            ),
            "entered": dict(past.entered) or {past.phase: 1},
            "head": past.baseline.head
            if past.baseline and not past.approved
            else self.session.head(),
            "git": self.session.worktree is not None,
            "approved_plan": past.approved.plan if past.approved else None,
            "previous": previous,
            "notes": list(past.notes),
        }

    def _evaluate(self, run: claude.Run, number: int, log: Path, before: Snapshot | None) -> Ended:
        session, past = self.session, self.session.history.past
        if not session.cwd.is_dir() and (made := session.ensure_worktree()):
            self.say(f"   the working directory was gone: {made}")
        tampered = snapshot.put_right(session, before) if before else ()
        if before:
            session.put_iteration_right()
        code, untracked = session.code(), session.untracked()
        Settled(session.folder / QA, self.timing.settle).wait(MAX_SETTLE)
        document, said = self._protect_questions(before)
        situation = session.situation(document, code)
        facts = Facts(
            run=run,
            report=signals.read(situation),
            phase=past.phase,
            now=time.time(),
            changed_code=session.changed_code(code),
            tampered=tampered,
            uncommitted=situation.uncommitted,
            untracked=untracked,
            stop=self.stop.requested,
            progress=before is None
            or snapshot.fingerprint(session, code, untracked) != before.print,
        )
        signal = facts.report.signal  # without one the phase tells what it may have asked for
        action = signal.waits_for == "human_action" if signal else past.phase == "implementation"
        self._record_questions(document, "action" if action else "qa")
        decision = policy.decide(facts, past, self.limits, self.timing)
        if decision.action == "verify":
            failure = self._verify(number)
            if self.stop.now:  # not recorded: the next start finds the signal and verifies again
                return Ended(number, replace(decision, action="go"), run, said)
            decision = policy.after_verify(facts, past, decision.why, failure)
        self._record(decision, facts, number, log)
        return Ended(number, decision, run, said)

    def _protect_questions(self, before: Snapshot | None) -> tuple[Document, tuple[str, ...]]:
        """(`_qa.md` as a child may leave it, what was put right). All else of this iteration goes
        by this one reading: what the human saves from now on is the gate's."""
        past = self.session.history.past
        self.session.clear_questions()
        now = self.session.read_questions()
        old = questions.parse(before.questions) if before else now
        kept = {n: self.session.recorded(old, n) for n in past.asked}
        if not now.questions and not kept:
            return now, ()
        said = questions.protect(now, kept)[1]
        reopened = [n for n in kept if self._reopens(n, now.find(n), killed=before is None)]
        for number in reopened:
            self.session.history.append("reopened", id=number)
            kept[number] = questions.answered(kept[number], "")
            said += (f"Q{number} is open again: another answer stood there; `same` confirms it",)
        return self.session.change_questions(lambda doc: questions.protect(doc, kept)[0]), said

    def _reopens(self, number: int, found: Question | None, killed: bool) -> bool:
        """Whether a recorded answer must be asked for again: a human may have changed it while a
        child ran. The approval is always worth asking; another one when the loop had been killed,
        since then a person had all the time to write."""
        past = self.session.history.past
        old = past.answers.get(number)
        if old is None or found is None or found.answer == old:
            return False
        approval = number == past.approval_id and past.approved is not None
        if found.answer is None:
            return approval or (killed and number in past.in_file)
        if approval:  # from a heading on it is a child's note or next question
            return not questions.approves(re.split(r"\n#{1,6} ", found.answer)[0])
        return killed

    def _record_questions(self, document: Document, kind: str) -> None:
        history = self.session.history
        for question in document.questions:
            if question.id not in history.past.asked:
                history.append("asked", id=question.id, kind=kind, text=question.text)

    def _verify(self, number: int) -> str | None:
        """The end of VERIFY's output, None when it passed or is not due."""
        verify = self.session.project.verify
        if not verify or not self.session.history.past.approved:
            return None
        log = self.session.new_log(f"{number:03d}-verify")
        self.say(f"VERIFY: {verify}")
        environ = claude.environment(self.settings.environ, self.session.top)
        code = processes.run_shell(
            verify,
            self.session.cwd,
            environ,
            self.session.folder,
            log,
            self.settings.timeout,
            lambda: self.stop.now,
        )
        if code == 0:
            return None
        how = f"exit code {code}" if code is not None else "ended at the time limit"
        lines = files.last_lines(log, VERIFY_LINES)
        return "\n".join([*lines, f"({verify}: {how})"])

    def _record(self, decision: Decision, facts: Facts, number: int, log: Path) -> None:
        past, run, signal = self.session.history.past, facts.run, facts.report.signal
        told = run.facts
        cost, estimated = policy.booked(run, past, self.limits, self.settings.timeout)
        done = decision.outcome == "done"
        self.session.history.append(
            "iteration",
            n=number,
            phase=facts.phase,
            outcome=decision.outcome,
            next=decision.next,
            signal=signal.status if signal else None,
            plan=decision.plan,
            summary=decision.why if done else None,
            note=decision.note.strip() or None,
            why=None if done else decision.why or None,
            head=self.session.head(),
            cost_usd=cost,
            estimated=estimated or None,
            tokens=told.tokens,
            seconds=round(run.seconds, 1),
            exit=run.exit_code,
            ended=run.ended,
            session_id=run.session_id,
            log=log.name,
            progress=facts.progress,
            delay=decision.delay or None,
            left_over=list(run.left_over),
            recovered=run.ended == "killed_loop" or None,
            denied=list(told.denials) or None,
        )
