"""How an iteration ends and what follows: one pure function over facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, takewhile

from samocode.decide.facts import Decision, IterationFacts, Limits, Pause
from samocode.decide.failures import BLOCKING, BROKEN, TOO_MUCH, UNKNOWN_FLAG, error_class, said
from samocode.decide.signal import Signal
from samocode.pages.names import HISTORY
from samocode.record.exits import ExitCode, Stop
from samocode.record.state import Iteration, SessionState
from samocode.record.words import few, sentence
from samocode.settings.timeouts import Timeouts

MAX_SILENT = 2  # iterations in a row without a valid signal
MAX_TIMEOUTS = 3
MAX_CRASHES = 5
MAX_UNHEARD = 6  # of these in a row: in turns, none of them reaches its own limit
UNHEARD = frozenset({"timeout", "crash", "no_signal", "bad_signal"})
MAX_IDLE = 3  # `continue` in a row that left nothing behind
MAX_ENTERED = 6  # times a round may enter one phase
MAX_VERIFY_FAILURES = 3


def decide(
    facts: IterationFacts, state: SessionState, limits: Limits, timeouts: Timeouts
) -> Decision:
    """The first rule that holds."""
    signal = facts.check.signal
    if facts.tampered:
        why = f"A child changed {HISTORY}; it was put back, and the other one is kept beside."
        return _blocked(facts, "tampered", why)
    if facts.changed_code:
        why = (
            f"Code changed before a plan was approved: {few(facts.changed_code)}. Nothing was "
            "reverted. Look at it, then run again to go on from the present state."
        )
        return _blocked(facts, "changed_code", why)
    if signal is None:
        return _unheard(_without_signal(facts, state, limits, timeouts), facts, state)
    if signal.status == "continue":
        return _go_on(facts, signal, state, limits, timeouts)
    return _as_it_says(facts, signal)


def cap(state: SessionState, limits: Limits) -> Stop | None:
    """The caps, looked at before each spawn: a signal counts before a limit."""
    spawned = len(state.recent)
    if spawned >= limits.max_iterations:
        why = f"{spawned} iterations in this run (--max-iterations)."
    elif limits.max_cost is not None and state.cost_usd >= limits.max_cost:
        cost, most = f"{state.cost_usd:.2f}", f"{limits.max_cost:.2f}"
        why = f"the session's cost of {cost} USD reached --max-cost {most}."
    else:
        return None
    return Stop(ExitCode.LIMIT, f"Limit reached: {why}")


def verify_failed(state: SessionState, failure: str) -> Decision:
    """What `done` comes to when VERIFY fails; `failure` is the end of its output."""
    note = f"VERIFY failed after done was signalled. Its last lines:\n{failure}"
    stop = None
    if state.verify_failures + 1 >= MAX_VERIFY_FAILURES:
        times = f"VERIFY failed {MAX_VERIFY_FAILURES} times since the plan was approved."
        stop = Stop(ExitCode.BLOCKED, f"{times} Its last lines:\n{failure}")
    return Decision("verify_failed", "implementation", stop, note, notes=(note,))


def _as_it_says(facts: IterationFacts, signal: Signal) -> Decision:
    if signal.status == "done":
        return Decision("done", facts.phase, Stop(ExitCode.DONE, signal.summary or ""))
    if signal.status == "blocked":
        needs = f" It needs: {sentence(signal.needs)}" if signal.needs else ""
        return _blocked(facts, "blocked", f"{sentence(signal.reason or '')}{needs}")
    if signal.waits_for == "plan_approval":
        return Decision("waiting", facts.phase, plan=signal.plan)
    return Decision("waiting", signal.phase or facts.phase)


def _go_on(
    facts: IterationFacts, signal: Signal, state: SessionState, limits: Limits, timeouts: Timeouts
) -> Decision:
    next_phase, note = signal.phase or facts.phase, _denied(facts)
    on = Decision("continue", next_phase, note=note)
    if facts.stopping:
        return on
    if facts.run.limit_rejected:
        return _limit(facts, limits, timeouts, "continue", next_phase) or on
    if not facts.progress and _idle_before(state) >= MAX_IDLE - 1:
        why = (
            f"{MAX_IDLE} iterations in a row said continue in phase {facts.phase} and left nothing "
            "behind: no commit, no change, no new file."
        )
        return replace(on, outcome="stalled", stop=Stop(ExitCode.BLOCKED, why))
    if next_phase != facts.phase and state.entered.get(next_phase, 0) >= MAX_ENTERED:
        times = f"Phase {next_phase} is entered for the {MAX_ENTERED + 1}th time in this round"
        why = f"{times}: work goes in circles."
        return replace(on, outcome="looping", stop=Stop(ExitCode.BLOCKED, why))
    return on


def _without_signal(
    facts: IterationFacts, state: SessionState, limits: Limits, timeouts: Timeouts
) -> Decision:
    run = facts.run
    if facts.stopping or run.ended == "stopped":
        note = "It was stopped by the human before it ended." + _left(facts)
        return Decision("stopped", facts.phase, note=note)
    if run.ended == "killed_loop":
        note = "The loop was killed while it ran." + _left(facts)
        return Decision("interrupted", facts.phase, note=note)
    error = error_class(run)
    if error in BLOCKING:
        outcome, remedy = BLOCKING[error]
        return _blocked(facts, outcome, f"{remedy} (Claude said: {said(run)})")
    if run.subtype == "error_max_budget_usd":
        stop = Stop(ExitCode.LIMIT, "The cost cap ended the iteration.")
        return Decision("budget", facts.phase, stop, _left(facts))
    if run.ended == "timeout":
        return _timeout(facts, state)
    if error == "rate_limit" and run.limit_rejected:
        wait = _limit(facts, limits, timeouts, "limited", facts.phase)
        return wait or _transient(facts, state, limits, timeouts)
    if error and error not in TOO_MUCH:
        return _transient(facts, state, limits, timeouts)
    return _silent(facts, state) if run.finished else _crash(facts, state, timeouts)


def _unheard(decision: Decision, facts: IterationFacts, state: SessionState) -> Decision:
    """Blocked when this was the last of too many failures of mixed kinds."""
    before = takewhile(lambda it: it.outcome in UNHEARD, _counted(state))
    kinds = [decision.outcome, *(it.outcome for it in islice(before, MAX_UNHEARD))][::-1]
    if decision.stop or decision.outcome not in UNHEARD or len(kinds) < MAX_UNHEARD:
        return decision
    why = f"{len(kinds)} iterations in a row ended without a valid signal: {', '.join(kinds)}."
    return replace(decision, stop=Stop(ExitCode.BLOCKED, why + _left(facts)), pause=None)


def _timeout(facts: IterationFacts, state: SessionState) -> Decision:
    note, stop = "It was ended at the time limit." + _left(facts), None
    if _in_a_row(_counted(state), "timeout") >= MAX_TIMEOUTS - 1:
        why = (
            f"{MAX_TIMEOUTS} iterations in a row ran into the time limit (CLAUDE_TIMEOUT, "
            "--timeout)." + _left(facts)
        )
        stop = Stop(ExitCode.BLOCKED, why)
    return Decision("timeout", facts.phase, stop, note)


def _limit(
    facts: IterationFacts, limits: Limits, timeouts: Timeouts, outcome: str, next_phase: str
) -> Decision | None:
    """Wait until the usage limit resets; None when the API did not say when, or the moment has
    gone by."""
    resets = facts.run.limit_resets_at
    if resets is None or resets <= facts.now - timeouts.limit_slack:
        return None
    until = resets + timeouts.limit_slack
    if until - facts.now > limits.max_wait:
        why = "The usage limit resets later than SAMOCODE_MAX_WAIT allows to wait."
        return Decision(outcome, next_phase, Stop(ExitCode.LIMIT, why))
    return Decision(outcome, next_phase, pause=Pause("usage limit reached", until=until))


def _transient(
    facts: IterationFacts, state: SessionState, limits: Limits, timeouts: Timeouts
) -> Decision:
    before = [it.delay for it in takewhile(lambda it: it.outcome == "transient", _last(state))]
    delay = min(timeouts.backoff_first * 2 ** min(len(before), 20), timeouts.backoff_most)
    run = facts.run
    what = f"{run.error or run.ended}{f' ({run.status})' if run.status else ''}"
    note = f"It ended early: the API failed ({what})." + _left(facts)
    if sum(before) + delay > limits.max_wait:
        why = (
            f"The API did not answer for longer than SAMOCODE_MAX_WAIT ({what}: {run.text[:300]})."
        )
        return Decision("transient", facts.phase, Stop(ExitCode.FAILED, why), note)
    return Decision("transient", facts.phase, None, note, Pause(f"the API failed ({what})", delay))


def _crash(facts: IterationFacts, state: SessionState, timeouts: Timeouts) -> Decision:
    run = facts.run
    flag = next((line for line in run.stderr.splitlines() if line.startswith(UNKNOWN_FLAG)), None)
    if flag and not run.started:
        remedy = "Update it (claude update), or correct CLAUDE_ARGS, then go on."
        return _blocked(facts, "crash", f"claude refuses its command line. {remedy} ({flag})")
    what = BROKEN.get(run.ended, "claude ended without a result")
    said = f": {run.stderr.splitlines()[-1][:300]}" if run.stderr else ""
    what += f" (exit code {run.exit_code}){said}"
    note = what + "." + _left(facts)
    crashes = _in_a_row(_counted(state), "crash") + 1
    if crashes >= MAX_CRASHES:
        stop = Stop(ExitCode.FAILED, f"{MAX_CRASHES} times in a row: {what}.")
        return Decision("crash", facts.phase, stop, note)
    delay = min(timeouts.backoff_first * 2 ** (crashes - 1), timeouts.backoff_most)
    return Decision("crash", facts.phase, None, note, Pause(what, delay))


def _silent(facts: IterationFacts, state: SessionState) -> Decision:
    outcome = "no_signal" if facts.check.missing else "bad_signal"
    cut = TOO_MUCH.get(facts.run.error or facts.run.subtype or "", "")
    note = " ".join(facts.check.problems) + cut + _left(facts) + _denied(facts)
    before, stop = next(_counted(state), None), None
    if before and before.outcome in ("no_signal", "bad_signal"):
        why = f"{MAX_SILENT} iterations in a row ended without a valid signal. {note}"
        stop = Stop(ExitCode.BLOCKED, why)
    return Decision(outcome, facts.phase, stop, note)


def _blocked(facts: IterationFacts, outcome: str, why: str) -> Decision:
    stop = Stop(ExitCode.BLOCKED, why + _denied(facts))
    return Decision(outcome, facts.phase, stop, _left(facts).strip())


def _last(state: SessionState) -> Iterator[Iteration]:
    """The iterations of this start, the newest first."""
    return reversed(state.recent)


def _counted(state: SessionState) -> Iterator[Iteration]:
    """Those of them that "in a row" looks at: the API let them work."""
    return (it for it in _last(state) if it.outcome not in ("limited", "transient"))


def _in_a_row(newest_first: Iterable[Iteration], outcome: str) -> int:
    return sum(1 for _ in takewhile(lambda it: it.outcome == outcome, newest_first))


def _idle_before(state: SessionState) -> int:
    """How many `continue` right before this one left nothing behind."""
    return sum(1 for _ in takewhile(_is_idle, _counted(state)))


def _is_idle(it: Iteration) -> bool:
    return it.outcome == "continue" and not it.progress


def _left(facts: IterationFacts) -> str:
    changed = f" Uncommitted: {few(facts.uncommitted)}." if facts.uncommitted else ""
    return changed + (f" Untracked: {few(facts.untracked)}." if facts.untracked else "")


def _denied(facts: IterationFacts) -> str:
    denials = tuple(dict.fromkeys(facts.run.denials))
    return f" Permission was denied for: {few(denials)}." if denials else ""
