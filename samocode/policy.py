"""How an iteration ends and what follows: one pure function over facts (protocol.md, How an
iteration ends)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from samocode.claude import Run
from samocode.decision import Decision, Exit, Facts, Limits
from samocode.past import Iteration, Past
from samocode.signals import Signal
from samocode.timing import Timing

MAX_SILENT = 2  # iterations in a row without a valid signal
MAX_TIMEOUTS = 3
MAX_CRASHES = 5
MAX_UNHEARD = 6  # of these in a row: taking turns, none of them reaches its own limit
UNHEARD = frozenset({"timeout", "crash", "no_signal", "bad_signal"})
MAX_IDLE = 3  # `continue` in a row that left nothing behind
MAX_ENTERED = 6  # times a round may enter one phase
MAX_VERIFY_FAILURES = 3
BLOCKING = {
    "authentication_failed": (
        "auth",
        "Claude is not logged in, or its key is refused. Run: claude auth login (or set a valid "
        "ANTHROPIC_API_KEY), then go on.",
    ),
    "cloud_credential_error": (
        "auth",
        "The cloud credentials that pay for Claude (Bedrock, Vertex, Foundry) are missing or have "
        "expired. Renew them (aws sso login, gcloud auth application-default login), then go on.",
    ),
    "billing_error": (
        "billing",
        "The account that pays for Claude has no credit. Top it up or change the login; go on.",
    ),
    "model_not_found": (
        "model",
        "Claude does not know the model. Correct CLAUDE_MODEL or --model, then go on.",
    ),
    "invalid_request": (
        "invalid_request",
        "The API refuses the request for good; what Claude said names the reason (a spending cap, "
        "a request too large, a wrong flag in CLAUDE_ARGS).",
    ),
}
"""API failures that time does not mend: class -> (outcome, remedy). Any class named neither here
nor below is transient."""
BROKEN = {
    "no_init": "claude did not start within its grace",
    "flood": "claude was ended: it wrote more than a gigabyte of output",
}
TOO_MUCH = {
    "error_max_turns": " It reached --max-turns.",
    "max_output_tokens": " Its answer exceeded the output limit (or the context window): read and "
    "write in smaller pieces.",
}
"""What a run was too long for (subtype or class, one for both limits): silence, no outage. Taken
for one, it was paid for forty times."""

UNKNOWN_FLAG = "error: unknown option"  # the CLI's words, on stderr (measured with 2.1.330)
PERMANENT_STATUSES = frozenset(range(400, 500)) - {408, 409, 429}
"""Most refused requests, spend limits among them, come with the class `unknown`: their status tells
(measured)."""


def decide(facts: Facts, past: Past, limits: Limits, timing: Timing) -> Decision:
    """The first rule of protocol.md that holds."""
    signal = facts.report.signal
    if facts.tampered:
        return _blocked(
            facts, "tampered", f"A child changed {', '.join(facts.tampered)}; it was put right."
        )
    if facts.changed_code:
        return _blocked(
            facts,
            "changed_code",
            (
                f"Code changed before a plan was approved: {_few(facts.changed_code)}. Nothing was "
                "reverted; look at it, "
                "then run again to accept the present state."
            ),
        )
    if signal is None:
        return _unheard(_without_signal(facts, past, limits, timing), facts, past)
    if signal.status == "continue":
        return _go_on(facts, signal, past, limits, timing)
    return _as_it_says(facts, signal)


def before_spawn(past: Past, limits: Limits) -> Decision | None:
    """The caps: limits come after what the last signal said."""
    spawned = sum(not it.recovered for it in past.recent)
    if spawned >= limits.max_iterations:
        return _capped(past, f"{spawned} iterations in this run (--max-iterations).")
    if limits.max_cost is not None and past.cost_usd >= limits.max_cost:
        return _capped(
            past,
            f"the session's cost of {past.cost_usd:.2f} USD reached --max-cost "
            f"{limits.max_cost:.2f}.",
        )
    return None


def left_to_spend(past: Past, limits: Limits) -> float | None:
    """What the next child may cost, in USD; None without a cap."""
    return None if limits.max_cost is None else max(limits.max_cost - past.cost_usd, 0.0001)


def booked(run: Run, past: Past, limits: Limits, seconds: float) -> tuple[float, bool]:
    """(what a run with `seconds` of time cost in USD, whether that is an estimate).

    Without a result: the dearest so far, but half of what it might spend when it took all its time,
    and less for less. Three time-outs that may each spend the whole cap come to 1.75 caps at the
    very most; booked at nothing, they had no end.
    """
    told = run.facts
    if told.cost_usd is not None:
        return told.cost_usd, False
    if not told.started or (run.ended == "auth" and not told.answered):
        return 0.0, False
    given = left_to_spend(past, limits) or 0.0
    likely = given / 2 * min(1.0, run.seconds / seconds)
    if past.rate:  # it spends no faster than twice what the fastest did
        likely = min(likely, 2 * past.rate * run.seconds)
    return max(past.dearest, likely), True


def after_verify(facts: Facts, past: Past, summary: str, failure: str | None) -> Decision:
    """What `done` is worth once VERIFY ran; `failure` is the end of its output, None when it
    passed."""
    if failure is None:
        return Decision("done", facts.phase, "stop", Exit.DONE, summary)
    note = f"VERIFY failed after done was signalled. Its last lines:\n{failure}"
    if past.verify_failures + 1 >= MAX_VERIFY_FAILURES:
        times = f"VERIFY failed {MAX_VERIFY_FAILURES} times since the plan was approved."
        why = f"{times} Its last lines:\n{failure}"
        return Decision("verify_failed", "implementation", "stop", Exit.BLOCKED, why, note)
    return Decision("verify_failed", "implementation", "go", note=note)


def _as_it_says(facts: Facts, signal: Signal) -> Decision:
    if signal.status == "done":
        return Decision("done", facts.phase, "verify", Exit.DONE, signal.summary or "")
    if signal.status == "blocked":
        needs = f" It needs: {_sentence(signal.needs)}" if signal.needs else ""
        return _blocked(facts, "blocked", f"{_sentence(signal.reason or '')}{needs}")
    next_phase = signal.phase or facts.phase
    if signal.waits_for == "plan_approval":
        return Decision(
            "waiting", facts.phase, "wait", why="the plan needs your approval", plan=signal.plan
        )
    return Decision("waiting", next_phase, "wait", why=f"waiting for {signal.waits_for}")


def _sentence(text: str) -> str:
    """A child's words, ended as a sentence is."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…", "。")) else f"{text}."


def _go_on(facts: Facts, signal: Signal, past: Past, limits: Limits, timing: Timing) -> Decision:
    next_phase, note = signal.phase or facts.phase, _denied(facts)
    on = Decision("continue", next_phase, "go", note=note)
    if facts.stop:
        return on
    if facts.run.facts.limit_rejected:
        return _limit(facts, limits, timing, "continue", next_phase) or on
    if not facts.progress and _idle_before(past) >= MAX_IDLE - 1:
        why = (
            f"{MAX_IDLE} iterations in a row said continue in phase {facts.phase} and left nothing "
            "behind: no commit, no change, no new file."
        )
        return Decision("stalled", next_phase, "stop", Exit.BLOCKED, why, note)
    if next_phase != facts.phase and past.entered.get(next_phase, 0) >= MAX_ENTERED:
        times = f"Phase {next_phase} is entered for the {MAX_ENTERED + 1}th time in this round"
        return Decision(
            "looping", next_phase, "stop", Exit.BLOCKED, f"{times}: work goes in circles.", note
        )
    return on


def _without_signal(facts: Facts, past: Past, limits: Limits, timing: Timing) -> Decision:
    run, told = facts.run, facts.run.facts
    if facts.stop or run.ended == "stopped":
        note = "It was stopped by the human before it ended." + _left(facts)
        return Decision("stopped", facts.phase, "go", note=note)
    if run.ended == "killed_loop":
        note = "The loop was killed while it ran." + _left(facts)
        return Decision("interrupted", facts.phase, "go", note=note)
    error = _error_class(facts)
    if error in BLOCKING:
        outcome, remedy = BLOCKING[error]
        return _blocked(facts, outcome, f"{remedy} (Claude said: {told.text[:300] or error})")
    if told.subtype == "error_max_budget_usd":
        why = "The cost cap ended the iteration."
        return Decision("budget", facts.phase, "stop", Exit.LIMIT, why, _left(facts))
    if run.ended == "timeout":
        return _timeout(facts, past)
    if error == "rate_limit" and told.limit_rejected:
        wait = _limit(facts, limits, timing, "limited", facts.phase)
        return wait or _transient(facts, past, limits, timing)
    if error and error not in TOO_MUCH:
        return _transient(facts, past, limits, timing)
    return _silent(facts, past) if told.finished else _crash(facts, past, timing)


def _unheard(decision: Decision, facts: Facts, past: Past) -> Decision:
    """Blocked when this was the last of too many failures of mixed kinds."""
    before = list(takewhile(lambda it: it.outcome in UNHEARD, reversed(_counted(past))))
    ended = [*(it.outcome for it in reversed(before)), decision.outcome]
    if decision.action == "stop" or ended[-1] not in UNHEARD or len(ended) < MAX_UNHEARD:
        return decision
    kinds = ", ".join(ended)
    why = f"{len(ended)} iterations in a row ended without a valid signal: {kinds}." + _left(facts)
    return replace(decision, action="stop", exit=Exit.BLOCKED, why=why, delay=0.0)


def _error_class(facts: Facts) -> str | None:
    """What ended the run, by the CLI's own class; a permanent status beats a vague class."""
    told = facts.run.facts
    if facts.run.ended == "auth":
        return "authentication_failed"
    if told.error not in BLOCKING and told.status in PERMANENT_STATUSES:
        return "invalid_request"
    return told.error


def _timeout(facts: Facts, past: Past) -> Decision:
    note = "It was ended at the time limit." + _left(facts)
    if _ends_with(past, "timeout", MAX_TIMEOUTS - 1):
        why = (
            f"{MAX_TIMEOUTS} iterations in a row ran into the time limit (CLAUDE_TIMEOUT, "
            "--timeout)." + _left(facts)
        )
        return Decision("timeout", facts.phase, "stop", Exit.BLOCKED, why, note)
    return Decision("timeout", facts.phase, "go", note=note)


def _limit(
    facts: Facts, limits: Limits, timing: Timing, outcome: str, next_phase: str
) -> Decision | None:
    """Wait until the usage limit resets; None when the API did not say when, or the moment is
    past."""
    resets = facts.run.facts.limit_resets_at
    if resets is None or resets <= facts.now - timing.limit_slack:
        return None
    until = resets + timing.limit_slack
    if until - facts.now > limits.max_wait:
        why = "The usage limit resets later than SAMOCODE_MAX_WAIT allows to wait."
        return Decision(outcome, next_phase, "stop", Exit.LIMIT, why, until=until)
    return Decision(outcome, next_phase, "go", why="usage limit reached", until=until)


def _transient(facts: Facts, past: Past, limits: Limits, timing: Timing) -> Decision:
    before = _run_of(past.recent, "transient")
    delay = min(timing.backoff_first * 2 ** min(len(before), 20), timing.backoff_most)
    told = facts.run.facts
    what = f"{told.error or facts.run.ended}{f' ({told.status})' if told.status else ''}"
    note = f"It ended early: the API failed ({what})." + _left(facts)
    if sum(it.delay for it in before) + delay > limits.max_wait:
        why = (
            f"The API did not answer for longer than SAMOCODE_MAX_WAIT ({what}: {told.text[:300]})."
        )
        return Decision("transient", facts.phase, "stop", Exit.FAILED, why, note)
    return Decision(
        "transient", facts.phase, "go", why=f"the API failed ({what})", note=note, delay=delay
    )


def _crash(facts: Facts, past: Past, timing: Timing) -> Decision:
    before = _run_of(_counted(past), "crash")
    run = facts.run
    flag = next((line for line in run.stderr.splitlines() if line.startswith(UNKNOWN_FLAG)), None)
    if flag and not run.facts.started:
        remedy = "Update it (claude update), or correct CLAUDE_ARGS, then go on."
        return _blocked(facts, "crash", f"claude refuses its command line. {remedy} ({flag})")
    what = BROKEN.get(run.ended, "claude ended without a result")
    what += f" (exit code {run.exit_code})" + (
        f": {run.stderr.splitlines()[-1][:300]}" if run.stderr else ""
    )
    note = what + "." + _left(facts)
    if len(before) + 1 >= MAX_CRASHES:
        why = f"{MAX_CRASHES} times in a row: {what}."
        return Decision("crash", facts.phase, "stop", Exit.FAILED, why, note)
    delay = min(timing.backoff_first * 2 ** len(before), timing.backoff_most)
    return Decision("crash", facts.phase, "go", why=what, note=note, delay=delay)


def _silent(facts: Facts, past: Past) -> Decision:
    outcome = "no_signal" if facts.report.missing else "bad_signal"
    told = facts.run.facts
    cut = TOO_MUCH.get(told.error or told.subtype or "", "")
    note = " ".join(facts.report.problems) + cut + _left(facts) + _denied(facts)
    counted = _counted(past)
    if counted and counted[-1].outcome in ("no_signal", "bad_signal"):
        why = f"{MAX_SILENT} iterations in a row ended without a valid signal. {note}"
        return Decision(outcome, facts.phase, "stop", Exit.BLOCKED, why, note)
    return Decision(outcome, facts.phase, "go", note=note)


def _blocked(facts: Facts, outcome: str, why: str) -> Decision:
    return Decision(
        outcome, facts.phase, "stop", Exit.BLOCKED, why + _denied(facts), _left(facts).strip()
    )


def _capped(past: Past, why: str) -> Decision:
    return Decision("limit", past.phase, "stop", Exit.LIMIT, f"Limit reached: {why}")


def _counted(past: Past) -> list[Iteration]:
    """Iterations of this start that "in a row" looks at: those the API let work."""
    return [it for it in past.recent if it.outcome not in ("limited", "transient")]


def _ends_with(past: Past, outcome: str, times: int) -> bool:
    return len(_run_of(_counted(past), outcome)) >= times


def _idle_before(past: Past) -> int:
    """How many `continue` right before this one left nothing behind."""
    idle = takewhile(lambda it: not it.progress, _run_of(_counted(past), "continue"))
    return len(list(idle))


def _run_of(iterations: Sequence[Iteration], outcome: str) -> list[Iteration]:
    """The unbroken run of this outcome at the very end."""
    return list(takewhile(lambda it: it.outcome == outcome, reversed(iterations)))


def _left(facts: Facts) -> str:
    changed = f" Uncommitted: {_few(facts.uncommitted)}." if facts.uncommitted else ""
    return changed + (f" Untracked: {_few(facts.untracked)}." if facts.untracked else "")


def _denied(facts: Facts) -> str:
    denials = facts.run.facts.denials
    return f" Permission was denied for: {_few(tuple(dict.fromkeys(denials)))}." if denials else ""


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
