"""Decide how an iteration ended and what follows. Pure functions of facts."""

from __future__ import annotations

from datetime import datetime

from samocode.child.account import LONGEST, Hint
from samocode.decide import money
from samocode.decide.facts import Decision, IterationFacts, Limits, Pause
from samocode.decide.failures import BLOCKING, BROKEN, TOO_MUCH, error_class
from samocode.decide.signal import Signal
from samocode.pages.names import HISTORY
from samocode.record.exits import ExitCode, Stop
from samocode.record.state import SessionState
from samocode.record.words import few, sentence
from samocode.settings.timeouts import Timeouts

# Limits of the counters in SessionState. A decision of a person resets them.
MAX_STRIKES = 3  # timeouts, crashes, missing and invalid signals since the last valid one
MAX_CUT_OFF = 2  # runs ended by their budget since the last valid signal
MAX_IDLE = 3  # `continue` since the last change
MAX_ENTERED = 6  # entries into one phase
MAX_VERIFY = 3


def decide(facts: IterationFacts, state: SessionState, limits: Limits, times: Timeouts) -> Decision:
    """Apply the first rule that matches."""
    run, signal, phase = facts.run, facts.check.signal, facts.phase
    error, waits = error_class(run), _until_reset(facts, limits, times)
    if facts.tampered:
        why = f"A child changed {HISTORY}. It was restored, and the changed file was kept."
        return _blocked(facts, "tampered", why)
    if facts.changed_code:
        why = f"Code changed before a plan was approved: {few(facts.changed_code)}. Nothing was "
        why += "reverted. Review the changes, then run again to accept them."
        return _blocked(facts, "changed_code", why)
    if signal:
        decision = _signalled(facts, signal, state, waits)
        plain = decision.outcome == "continue" and not decision.stop and not decision.pause
        spares = _spared(facts, limits, times) if plain and not facts.stopping else None
        return decision.then(spares) if spares else decision
    if facts.stopping or run.ended == "stopped":
        what = "It was stopped before it ended" if run.ended == "stopped" else "It did not signal"
        return Decision("stopped", phase, note=f"{what}: a stop was requested.{facts.left}")
    if run.ended == "killed_loop":
        return Decision("interrupted", phase, note=f"The loop was killed while it ran.{facts.left}")
    if error in BLOCKING:
        outcome, remedy = BLOCKING[error]
        return _blocked(facts, outcome, remedy + run.last_output)
    if run.subtype == "error_max_budget_usd":
        return _cut_off(facts, state)
    if waits and (error == "rate_limit" or run.ended == "timeout"):
        return Decision("limited", phase).then(waits)
    if error and error not in TOO_MUCH:
        return _outage(facts, state, limits, times)
    return _strike(facts, state, times)


def cap(state: SessionState, limits: Limits) -> Stop | None:
    """Return a Stop at a cap. Checked before each spawn: a `done` at the cap is still done."""
    most = limits.max_cost
    if state.spawned >= limits.max_iterations:
        why = f"{state.spawned} iterations in this run (--max-iterations)."
    elif most is not None and money.used_up(state, most):
        held = f" and {state.held_usd:.2f} USD held back" if state.held_usd else ""
        why = f"{state.cost_usd:.2f} USD spent{held}, of {most:.2f} USD (--max-cost)."
    else:
        return None
    return Stop(ExitCode.LIMIT, f"Limit reached: {why}")


def heed(hint: Hint, now: float, limits: Limits, times: Timeouts) -> Stop | Pause | None:
    """Return the pause, or the Stop, if a hint says that the account reached a usage limit."""
    why = f"usage limit reached (as session {hint.session} found; to try, press Ctrl-C and start)"
    return _wait(why, hint.resets_at, now, limits, times)


def verify_failed(state: SessionState, failure: str) -> Decision:
    """Return the decision if VERIFY fails after `done`. `failure` is the end of its output."""
    note = f"VERIFY failed after done was signalled. Its last lines:\n{failure}"
    often = f"VERIFY failed {MAX_VERIFY} times. Its last lines:\n{failure}"
    stop = Stop(ExitCode.BLOCKED, often) if state.verify_failures + 1 >= MAX_VERIFY else None
    then = "implementation" if state.approved else "planning"
    return Decision("verify_failed", then, stop, note, notes=(note,))


def _signalled(
    facts: IterationFacts, signal: Signal, state: SessionState, waits: Stop | Pause | None
) -> Decision:
    onward = signal.phase or facts.phase
    if signal.status == "done":
        return Decision("done", facts.phase, Stop(ExitCode.DONE, signal.summary or ""))
    if signal.status == "blocked":
        needs = f" It needs: {sentence(signal.needs)}" if signal.needs else ""
        return _blocked(facts, "blocked", f"{sentence(signal.reason or '')}{needs}")
    if signal.status == "waiting":
        plan = signal.plan if signal.waits_for == "plan_approval" else None
        return Decision("waiting", facts.phase if plan else onward, plan=plan)
    on = Decision("continue", onward, note=facts.denied)
    if facts.stopping or waits:
        return on if facts.stopping else on.then(waits)
    if not facts.progress and state.idle + 1 >= MAX_IDLE:
        why = f"{MAX_IDLE} iterations, the last in phase {facts.phase}, signalled continue without "
        why += "a commit, a changed file or a new file."
        return on._replace(outcome="stalled", stop=Stop(ExitCode.BLOCKED, why))
    if onward != facts.phase and state.entered.get(onward, 0) >= MAX_ENTERED:
        why = f"Phase {onward} is entered for the {MAX_ENTERED + 1}th time: work goes in circles."
        return on._replace(outcome="looping", stop=Stop(ExitCode.BLOCKED, why))
    return on


def _cut_off(facts: IterationFacts, state: SessionState) -> Decision:
    note = f"Its budget was used up before it signalled: do less in one iteration.{facts.left}"
    why = f"{MAX_CUT_OFF} iterations since the last valid signal used up their budget. "
    why += "Raise --max-cost, or ask for smaller steps."
    stop = Stop(ExitCode.LIMIT, why) if state.cut_off + 1 >= MAX_CUT_OFF else None
    return Decision("budget", facts.phase, stop, note)


def _until_reset(facts: IterationFacts, limits: Limits, times: Timeouts) -> Stop | Pause | None:
    """Return the pause until a usage limit resets, or a Stop if that is too late. None without a
    limit, or with a reset that is unknown, past or too far away."""
    resets = facts.run.limit_resets_at
    if not facts.run.limit_rejected or resets is None:
        return None
    return _wait("usage limit reached", resets, facts.now, limits, times, facts.run.last_output)


def _spared(facts: IterationFacts, limits: Limits, times: Timeouts) -> Stop | Pause | None:
    """Return the pause that leaves the user a share of each limit (SAMOCODE_KEEP_QUOTA)."""
    full = [w for w in facts.run.windows if 100 * (1 - w.used) < limits.keep_quota]
    last = max(full, key=lambda window: window.resets_at, default=None)
    if last is None or not limits.keep_quota:
        return None
    left, name = 100 * max(0.0, 1 - last.used), last.name.replace("_", "-")
    why = f"{left:.0f} % of the {name} limit is left (SAMOCODE_KEEP_QUOTA)"
    return _wait(why, last.resets_at, facts.now, limits, times)


def _wait(
    why: str, resets: float, now: float, limits: Limits, times: Timeouts, words: str = ""
) -> Stop | Pause | None:
    """Return the pause until a limit resets, or a Stop if that is too late. None if it is past, or
    too far away to be a reset."""
    left = resets - now
    if not 0 < left < LONGEST:
        return None
    if left > limits.max_wait:
        at = datetime.fromtimestamp(resets).astimezone().isoformat(" ", "minutes")
        needed = f"SAMOCODE_MAX_WAIT={left + times.limit_slack:.0f} would wait for it."
        said = f"{sentence(why)} It resets at {at}: {needed}{words}"
        return Stop(ExitCode.LIMIT, said)
    random = now % 1  # the fraction of this second: not all sessions start at once
    return Pause(why, until=resets + random * times.limit_slack)


def _outage(
    facts: IterationFacts, state: SessionState, limits: Limits, times: Timeouts
) -> Decision:
    run, waited = facts.run, state.api_waited
    delay = min(waited + times.backoff_first, times.backoff_most)  # 30, 60, 120, ...
    what = f"the API failed: {run.error}{f' ({run.status})' if run.status else ''}"
    on = Decision("transient", facts.phase, note=f"{what}.{run.last_output}{facts.left}")
    why = f"The next try would be later than SAMOCODE_MAX_WAIT allows; {what}.{run.last_output}"
    return on.then(
        Pause(what, delay) if waited + delay <= limits.max_wait else Stop(ExitCode.FAILED, why)
    )


def _strike(facts: IterationFacts, state: SessionState, times: Timeouts) -> Decision:
    outcome, what = _what_went_wrong(facts)
    strikes, on = [*state.strikes, outcome], Decision(outcome, facts.phase, note=what)
    if outcome == "crash" and not facts.run.started and state.spawned == 0:
        remedy = " Correct CLAUDE_PATH or CLAUDE_ARGS, or update Claude (claude update)."
        return _blocked(facts, outcome, what + remedy)
    if len(strikes) >= MAX_STRIKES:
        code = ExitCode.FAILED if set(strikes) == {"crash"} else ExitCode.BLOCKED
        names = few([name.replace("_", " ") for name in strikes])
        why = f"{len(strikes)} iterations failed since the last valid signal ({names}). {what}"
        return on.then(Stop(code, why))
    seconds = times.backoff_first * strikes.count("crash")
    return on.then(Pause("claude crashed", seconds) if outcome == "crash" else None)


def _what_went_wrong(facts: IterationFacts) -> tuple[str, str]:
    """Return the outcome of a failure and its cause."""
    run, left = facts.run, facts.left + facts.denied
    if run.ended == "timeout":
        return "timeout", f"It was ended at the time limit (CLAUDE_TIMEOUT, --timeout).{left}"
    if not run.finished:
        what = BROKEN.get(run.ended, "claude ended without a result")
        code = "" if run.exit_code is None else f" (exit code {run.exit_code})"
        return "crash", f"{what}{code}.{run.last_output}{left}"
    what = " ".join(facts.check.problems) + TOO_MUCH.get(error_class(run) or run.subtype or "", "")
    if run.last_output and not run.answered:  # a hook refused the prompt; only its message helps
        what = ""
    outcome = "no_signal" if facts.check.missing else "bad_signal"
    return outcome, f"{what}{run.last_output}{left}".strip()


def _blocked(facts: IterationFacts, outcome: str, why: str) -> Decision:
    stop = Stop(ExitCode.BLOCKED, why + facts.denied)
    return Decision(outcome, facts.phase, stop, facts.left.strip())
