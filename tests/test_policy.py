"""How an iteration ends: one table with a row for each outcome, without files or a clock."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from samocode.child.stream import EndReason, Init, RunResult, Window
from samocode.decide import money, policy
from samocode.decide.facts import IterationFacts, Limits
from samocode.decide.signal import Signal, SignalCheck
from samocode.record.exits import ExitCode
from samocode.record.state import Approval, SessionState
from samocode.settings.timeouts import Timeouts

NOW = 1_000_001.25
LIMITS = Limits(max_iterations=100, max_cost=None, max_wait=3600)
TIMEOUTS = Timeouts(backoff_first=30, backoff_most=600, limit_slack=60)
SILENT = SignalCheck(problems=("No _signal.json: write it.",), missing=True)
RUBBISH = SignalCheck(problems=("_signal.json is not JSON.", "Write it."))


def after(*strikes: str, **counters: Any) -> SessionState:
    """A session in phase testing that has started one child."""
    state = {"phase": "testing", "spawned": 1, "strikes": list(strikes)}
    return SessionState(**(state | counters))


def told(**values: Any) -> RunResult:
    """The result of a run that started and finished, changed by `values`."""
    base = RunResult(init=Init(), answered=True, finished=True, subtype="success")
    return base._replace(**values)


def failed(error: str, status: int | None = None, **values: Any) -> RunResult:
    """A run that an API failure ended."""
    return told(is_error=True, error=error, status=status, text="API Error: the words", **values)


def facts(
    check: SignalCheck | Signal = SILENT, *, ended: EndReason = "itself",
    run: RunResult | None = None, code: int | None = 0, **values: Any,
) -> IterationFacts:  # fmt: skip
    """The facts at the end of an iteration of phase testing."""
    found = SignalCheck(check) if isinstance(check, Signal) else check
    over = (run or told())._replace(ended=ended, exit_code=code)
    return IterationFacts(over, found, phase="testing", now=NOW)._replace(**values)


CONTINUE = Signal("continue")
TO_QUALITY = Signal("continue", phase="quality")
DONE = Signal("done", summary="It works.")
NO_INIT = RunResult()
UNFINISHED = RunResult(init=Init())
SEGFAULT = UNFINISHED._replace(stderr="first line\nlast line", text="I was reading a.py.")
REFUSED = told(answered=False, text="Your company does not allow this prompt.")
AT_529 = failed("server_error", 529)
RESETS_SOON = {"limit_rejected": True, "limit_resets_at": NOW + 3600}
RESETS_LATE = {"limit_rejected": True, "limit_resets_at": NOW + 3601}
FIVE_HOURS, WEEK = (Window(n, 0.85, NOW + s) for n, s in (("five_hour", 600), ("seven_day", 9000)))
RESETS_PAST = {"limit_rejected": True, "limit_resets_at": NOW}
JITTER = 15.0  # a quarter of limit_slack, since NOW ends with a quarter of a second


@dataclass(frozen=True)
class Row:
    """One rule: facts and state, and the decision that follows."""

    name: str
    facts: IterationFacts
    outcome: str
    exit: int | None = None
    """Exit code of the stop; None when the loop goes on."""
    state: SessionState = field(default_factory=after)
    says: str = ""
    """A part of the decision's `why` or `note`."""
    delay: float = 0.0
    until: float | None = None
    next: str = "testing"
    keep: float = 0.0


FIRST = [
    Row("code changed", facts(DONE, changed_code=("a.py",)), "changed_code", 3,
        says="a.py. Nothing was reverted. Review the changes, then run again to accept"),
    Row("history tampered with", facts(DONE, tampered=True, changed_code=("a.py",)), "tampered", 3,
        says="_history.jsonl"),
]  # fmt: skip
SIGNALLED = [
    Row("continue", facts(CONTINUE, run=told(denials=("Write",))), "continue",
        says="denied for: Write."),
    Row("done", facts(DONE), "done", 0, says="It works."),
    Row("blocked", facts(Signal("blocked", reason="no key (x)", needs="it!"),
        run=told(denials=("Bash", "Bash"))), "blocked", 3,
        says="no key (x). It needs: it! Permission was denied for: Bash."),
    Row("blocked without a need", facts(Signal("blocked", reason="no key"),
        run=told(denials=("Bash",))), "blocked", 3, says="no key. Permission was denied"),
    Row("waiting for answers", facts(Signal("waiting", waits_for="qa_answers", phase="quality")),
        "waiting", next="quality"),
    Row("waiting for approval keeps the phase", facts(Signal("waiting", waits_for="plan_approval",
        plan="p.md", phase="done")), "waiting"),
    Row("a signal beats exit code and API failure", facts(DONE, code=1, run=AT_529), "done", 0),
    Row("a signal beats the timeout", facts(CONTINUE, ended="timeout", run=UNFINISHED), "continue",
        state=after("timeout", "timeout")),
    Row("a signal beats a stop request", facts(DONE, ended="stopped", stopping=True), "done", 0),
    Row("a signal beats the budget", facts(CONTINUE, run=told(subtype="error_max_budget_usd")),
        "continue", state=after(cut_off=1)),
    Row("idle for the second time", facts(CONTINUE, progress=False), "continue",
        state=after(idle=1)),
    Row("stalled", facts(CONTINUE, progress=False), "stalled", 3, after(idle=2),
        says="3 iterations, the last in phase testing, signalled continue without a commit"),
    Row("progress is no stall", facts(CONTINUE), "continue", state=after(idle=2)),
    Row("entered for the sixth time", facts(TO_QUALITY), "continue", next="quality",
        state=after(entered={"quality": 5})),
    Row("looping", facts(TO_QUALITY), "looping", 3, after(entered={"quality": 6}),
        says="quality is entered for the 7th time", next="quality"),
    Row("staying is not entering", facts(CONTINUE), "continue",
        state=after(entered={"testing": 6})),
    Row("a stop request comes first", facts(TO_QUALITY, stopping=True, run=told(**RESETS_SOON)),
        "continue", state=after(entered={"quality": 6}), next="quality"),
]  # fmt: skip
STOPPED = [
    Row("stopped", facts(ended="stopped", uncommitted=("a.py",)), "stopped",
        says="Uncommitted: a.py"),
    Row("a stop request beats a failure", facts(stopping=True, run=failed("billing_error")),
        "stopped"),
    Row("the loop was killed", facts(ended="killed_loop", run=UNFINISHED, code=None), "interrupted",
        says="was killed"),
]  # fmt: skip
REFUSALS = [
    Row("not logged in", facts(run=failed("authentication_failed")), "auth", 3,
        says="claude auth login (or set a valid ANTHROPIC_API_KEY). Last output: API Error: the"),
    Row("a key that nobody announced", facts(ended="payer", code=-9,
        run=RunResult(init=Init(key_source="apiKeyHelper"))), "payer", 3,
        says="SAMOCODE_PAYER=key. Claude reported: apiKeySource apiKeyHelper."),
    Row("a mode that nobody asked for", facts(ended="mode", code=-9,
        run=RunResult(init=Init(mode="default"))), "mode", 3,
        says="Claude reported: permissionMode default."),
    Row("cloud credentials", facts(run=failed("cloud_credential_error")), "auth", 3,
        says="aws sso login"),
    Row("no credit", facts(run=failed("billing_error", 400)), "billing", 3, says="Top it up"),
    Row("a vague class with a lasting status", facts(run=failed("unknown", 403)), "invalid_request",
        3),
    Row("a setup that the CLI names", facts(run=failed("server_error",
        api_error="tls_untrusted_ca")), "invalid_request", 3, says="the words"),
    Row("credits that are off", facts(run=failed("rate_limit", 429, **RESETS_SOON,
        api_error="model_requires_usage_credits")), "invalid_request", 3),
    Row("a refusal beats the timeout", facts(ended="timeout",
        run=UNFINISHED._replace(error="billing_error")), "billing", 3),
]  # fmt: skip
MONEY = [
    Row("budget", facts(run=told(subtype="error_max_budget_usd"), untracked=("b",)), "budget",
        says="do less in one iteration. Untracked: b"),
    Row("budget again", facts(run=told(subtype="error_max_budget_usd")), "budget", 5,
        after(cut_off=1), says="used up their budget. Raise --max-cost"),
]  # fmt: skip
LIMITED = [
    Row("usage limit", facts(run=failed("rate_limit", 429, **RESETS_SOON)), "limited",
        until=NOW + 3600 + JITTER),
    Row("further than MAX_WAIT", facts(run=failed("rate_limit", 429, **RESETS_LATE)), "limited", 5,
        says="SAMOCODE_MAX_WAIT"),
    Row("a limit that has reset", facts(run=failed("rate_limit", 429, **RESETS_PAST)), "transient",
        delay=30),
    Row("a limit that resets in milliseconds", facts(run=failed("rate_limit", 429,
        **RESETS_SOON | {"limit_resets_at": 1000.0 * NOW})), "transient", delay=30),
    Row("ended at the time limit while claude waited for the reset", facts(ended="timeout",
        run=told(finished=False, **RESETS_SOON)), "limited", until=NOW + 3600 + JITTER),
    Row("a limit without a time", facts(run=failed("rate_limit", 429, limit_rejected=True)),
        "transient", delay=30),
    Row("429 without a rejected limit", facts(run=failed("rate_limit", 429,
        limit_resets_at=NOW + 600)), "transient", delay=30),
    Row("continue, and the limit", facts(TO_QUALITY, run=told(**RESETS_SOON)), "continue",
        until=NOW + 3600 + JITTER, next="quality"),
    Row("continue, the limit too far", facts(CONTINUE, run=told(**RESETS_LATE)), "continue", 5),
    Row("continue, the limit has reset", facts(CONTINUE, run=told(**RESETS_PAST)), "continue"),
    Row("less than the user's share is left", facts(CONTINUE, run=told(windows=(FIVE_HOURS,))),
        "continue", until=NOW + 600 + JITTER, keep=20),
    Row("exactly that share is left", facts(CONTINUE, run=told(windows=(FIVE_HOURS,))),
        "continue", keep=15),
    Row("the weekly limit, too far", facts(CONTINUE, run=told(windows=(FIVE_HOURS, WEEK))),
        "continue", 5, keep=20, says="15 % of the seven-day limit is left"),
    Row("what would reach it", facts(CONTINUE, run=told(windows=(WEEK,))), "continue", 5, keep=20,
        says="SAMOCODE_MAX_WAIT=9060 would wait for it"),
    Row("done has no next child", facts(DONE, run=told(windows=(FIVE_HOURS,))), "done", 0, keep=20),
]  # fmt: skip
OUTAGES = [
    Row("overloaded", facts(run=AT_529), "transient", delay=30,
        says="server_error (529). Last output: API Error: the words"),
    Row("an unknown class", facts(run=failed("made_up_tomorrow")), "transient", delay=30,
        says="the API failed: made_up_tomorrow."),
    Row("408 is no verdict", facts(run=failed("unknown", 408)), "transient", delay=30),
    Row("an outage beats the timeout", facts(ended="timeout", run=AT_529._replace(finished=False)),
        "transient", delay=30),
    Row("the pause doubles", facts(run=AT_529), "transient", state=after(api_waited=30), delay=60),
    Row("to MAX_WAIT", facts(run=AT_529), "transient", state=after(api_waited=3000), delay=600),
    Row("beyond MAX_WAIT", facts(run=AT_529), "transient", 1, after(api_waited=3001),
        says="SAMOCODE_MAX_WAIT"),
    Row("no strike", facts(run=AT_529), "transient", state=after("crash", "crash"), delay=30),
]  # fmt: skip
STRIKES = [
    Row("timeout", facts(ended="timeout", run=UNFINISHED, uncommitted=("a.py",)), "timeout",
        says="time limit (CLAUDE_TIMEOUT, --timeout). Uncommitted: a.py"),
    Row("no signal", facts(run=told(text="I am done.")), "no_signal",
        says="No _signal.json: write it. Last output: I am done."),
    Row("invalid signal", facts(RUBBISH), "bad_signal", says="not JSON. Write it."),
    Row("a hook refused the prompt", facts(run=REFUSED), "no_signal", 3, after("crash", "timeout"),
        says="(crash, timeout, no signal). Last output: Your company does not allow this prompt."),
    Row("max turns", facts(run=told(subtype="error_max_turns")), "no_signal", says="--max-turns"),
    Row("the output limit", facts(run=failed("max_output_tokens")), "no_signal",
        says="smaller pieces"),
    Row("the context window", facts(run=failed("invalid_request", 400,
        api_error="message_over_context_limit")), "no_signal", says="smaller pieces"),
    Row("crash", facts(run=SEGFAULT, code=-9), "crash", delay=30,
        says="without a result (exit code -9). Last output: first line\nlast line"),
    Row("second crash", facts(run=SEGFAULT, code=None), "crash", state=after("crash"), delay=60,
        says="without a result. Last output"),
    Row("crash after a timeout", facts(run=UNFINISHED), "crash", state=after("timeout"), delay=30),
    Row("third crash", facts(run=UNFINISHED), "crash", 1, after("crash", "crash"),
        says="3 iterations failed"),
    Row("a crash is the last of a mix", facts(run=UNFINISHED), "crash", 3,
        after("no_signal", "crash"), says="(no signal, crash, crash)"),
    Row("third invalid signal", facts(RUBBISH), "bad_signal", 3, after("no_signal", "no_signal"),
        says="not JSON"),
    Row("a flood of output", facts(ended="flood", run=UNFINISHED, code=-15), "crash", delay=30,
        says="1 GB of output"),
    Row("no init, later", facts(ended="no_init", run=NO_INIT), "crash", delay=30,
        says="did not start"),
    Row("no init at the first spawn", facts(run=NO_INIT._replace(stderr="unknown option '-x'"),
        code=1), "crash", 3, after(spawned=0), says="Last output: unknown option '-x' Correct"),
]  # fmt: skip
TABLE = [*FIRST, *SIGNALLED, *STOPPED, *REFUSALS, *MONEY, *LIMITED, *OUTAGES, *STRIKES]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_decide(row: Row) -> None:
    found = policy.decide(row.facts, row.state, LIMITS._replace(keep_quota=row.keep), TIMEOUTS)
    code = found.stop.code if found.stop else None
    assert (found.outcome, found.next, code) == (row.outcome, row.next, row.exit)
    pause = (found.pause.seconds, found.pause.until) if found.pause else (0.0, None)
    assert pause == (row.delay, row.until)
    assert row.says in f"{found.why}\n{found.note}"
    assert found.why.strip() or not found.stop, "every stop says why"
    assert not found.pause or found.pause.why, "every pause says why"


def test_a_thousand_sessions_wake_spread_out() -> None:
    """At most 2 % of 1,000 sessions call in the same second after a reset (issue 19)."""
    dice = random.Random(1)  # noqa: S311 - no secret
    calls = Counter[int]()
    for _ in range(1000):
        at = facts(run=failed("rate_limit", 429, **RESETS_SOON), now=NOW + dice.uniform(0, 60))
        pause = policy.decide(at, after(), LIMITS, Timeouts()).pause
        assert pause and pause.until
        calls[int(at.now + pause.length(21600, at.now))] += 1
    assert max(calls.values()) <= 20
    assert min(calls) >= int(NOW + 3600)


@pytest.mark.parametrize("row", [*STOPPED, *MONEY, *OUTAGES, *STRIKES], ids=lambda row: row.name)
def test_every_failure_tells_the_next_iteration(row: Row) -> None:
    """The note of a failure names uncommitted changes."""
    changed = row.facts._replace(uncommitted=("left.py",))
    assert "left.py" in policy.decide(changed, row.state, LIMITS, TIMEOUTS).note


@pytest.mark.parametrize(
    ("limits", "state", "says"),
    [
        ({"max_iterations": 2}, after(spawned=1), ""),
        ({"max_iterations": 2}, after(spawned=2), "2 iterations"),
        ({}, after(cost_usd=1e6), ""),
        ({"max_cost": 1.0}, after(cost_usd=0.5, held_usd=0.49), ""),
        ({"max_cost": 1.0}, after(cost_usd=0.5, held_usd=0.495), "0.50 USD spent and 0.49"),
        ({"max_cost": 1.0}, after(cost_usd=1.2), "1.20 USD spent, of 1.00 USD"),
    ],
)  # fmt: skip
def test_cap(limits: dict[str, Any], state: SessionState, says: str) -> None:
    stop = policy.cap(state, LIMITS._replace(**limits))
    assert (stop is not None) is bool(says)
    assert stop is None or (stop.code == ExitCode.LIMIT and says in stop.why)


@pytest.mark.parametrize(
    ("state", "cap", "budget"),
    [
        (after(), None, None),
        (after(), 5.0, 2.5),  # half
        (after(cost_usd=1.0, held_usd=2.0), 5.0, 1.0),  # of what is left
        (after(cost_usd=1.0, highest_usd=2.0), 5.0, 3.0),  # 1.5 times the highest
        (after(cost_usd=3.0, highest_usd=2.0), 5.0, 2.0),  # never more than is left
        (after(), 0.0001, 0.0001),  # the CLI takes no budget of nothing
    ],
)
def test_a_childs_budget(state: SessionState, cap: float | None, budget: float | None) -> None:
    assert money.budget(state, cap) == budget


@pytest.mark.parametrize(
    ("run", "cost"),
    [
        (told(cost_usd=0.3), 0.3),
        (NO_INIT, 0.0),
        (UNFINISHED._replace(ended="auth"), 0.0),
        (UNFINISHED._replace(ended="auth", answered=True), None),
        (NO_INIT._replace(ended="killed_loop"), None),  # its log may be lost
        (NO_INIT._replace(answered=True), None),
        (told(), None),
    ],
)
def test_what_a_run_cost(run: RunResult, cost: float | None) -> None:
    """The cost of a run; None if it is unknown."""
    assert money.cost(run) == cost


@pytest.mark.parametrize(("failures", "code"), [(0, None), (1, None), (2, ExitCode.BLOCKED)])
def test_verify_failed(failures: int, code: ExitCode | None) -> None:
    """The session returns to implementation, or to planning if the approval has lapsed. The third
    failure blocks."""
    lapsed = policy.verify_failed(after(verify_failures=failures), "boom")
    approved = Approval("p.md", "d", "c")
    found = policy.verify_failed(after(verify_failures=failures, approved=approved), "boom")
    assert (found.outcome, found.next) == ("verify_failed", "implementation")
    assert lapsed.next == "planning"
    assert (found.stop.code if found.stop else None) == code
    assert "boom" in found.note and found.notes == (found.note,)
    assert not found.stop or ("VERIFY failed 3 times" in found.why and "boom" in found.why)
