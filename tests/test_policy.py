"""How an iteration ends: one table, a row per outcome. Pure: no files, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from samocode.child.stream import EndReason, Init, RunResult
from samocode.decide import money, policy
from samocode.decide.facts import IterationFacts, Limits
from samocode.decide.signal import Signal, SignalCheck
from samocode.record.exits import ExitCode
from samocode.record.state import Iteration, SessionState
from samocode.settings.timeouts import Timeouts

NOW = 1_000_000.0
LIMITS = Limits(max_iterations=100, max_cost=None, max_wait=3600)
TIMEOUTS = Timeouts(backoff_first=30, backoff_most=600, limit_slack=30)
SILENT = SignalCheck(problems=("No _signal.json: write it.",), missing=True)
RUBBISH = SignalCheck(problems=("_signal.json is not JSON.",))


def it(outcome: str, progress: bool = True, delay: float = 0.0) -> Iteration:
    """One iteration of this start."""
    return Iteration(1, "testing", outcome, "testing", progress=progress, delay=delay)


def after(*recent: Iteration | str, **values: Any) -> SessionState:
    """A history with these iterations since this start."""
    lines = [it(line) if isinstance(line, str) else line for line in recent]
    return SessionState(**{"phase": "testing", "iteration": len(lines), "recent": lines, **values})


def told(**values: Any) -> RunResult:
    """What a run said that started and finished, changed by `values`."""
    return replace(RunResult(init=Init(), finished=True, subtype="success"), **values)


def failed(error: str, status: int | None = None, **values: Any) -> RunResult:
    """A run that an API failure ended."""
    return told(is_error=True, error=error, status=status, text="API Error: the words", **values)


def facts(
    check: SignalCheck | Signal = SILENT, *, ended: EndReason = "itself",
    run: RunResult | None = None, code: int | None = 0, **values: Any,
) -> IterationFacts:  # fmt: skip
    """What is known at the end of an iteration of phase testing."""
    found = SignalCheck(check) if isinstance(check, Signal) else check
    over = replace(run or told(), ended=ended, exit_code=code)
    return replace(IterationFacts(over, found, phase="testing", now=NOW), **values)


def refused(stderr: str, run: RunResult) -> IterationFacts:
    """A run that ended with these words on stderr."""
    return facts(run=replace(run, stderr=stderr), code=1)


CONTINUE = Signal("continue")
DONE = Signal("done", summary="It works.")
IDLE = it("continue", progress=False)
UNFINISHED = RunResult(init=Init())
RESETS_SOON = {"limit_rejected": True, "limit_resets_at": NOW + 600}
RESETS_LATE = {"limit_rejected": True, "limit_resets_at": NOW + 4000}
RESETS_PAST = {"limit_rejected": True, "limit_resets_at": NOW - 31}


@dataclass(frozen=True)
class Row:
    """A rule: these facts after this history lead there."""

    name: str
    facts: IterationFacts
    outcome: str
    next: str = "testing"
    exit: int | None = None
    """Exit code of the stop; None when the loop goes on."""
    state: SessionState = field(default_factory=after)
    says: str = ""
    """Stands in `why` or `note`."""
    delay: float = 0.0
    until: float | None = None


FIRST = [
    Row("code changed before approval", facts(DONE, changed_code=("a.py",)), "changed_code",
        "testing", 3, says="a.py"),
    Row("history tampered with", facts(DONE, tampered=("_history.jsonl",)), "tampered", "testing",
        3, says="_history.jsonl"),
    Row("tampering is told before changed code", facts(CONTINUE, tampered=("_task.md",),
        changed_code=("a.py",)), "tampered", "testing", 3),
    Row("changed code beats a failure", facts(run=failed("billing_error", 400),
        changed_code=("a.py",)), "changed_code", "testing", 3),
]  # fmt: skip
SIGNALLED = [
    Row("continue", facts(CONTINUE), "continue"),
    Row("continue with a phase", facts(Signal("continue", phase="quality")), "continue", "quality"),
    Row("continue to the summary", facts(Signal("continue", phase="done")), "continue", "done"),
    Row("done", facts(DONE), "done", "testing", 0, says="It works."),
    Row("blocked", facts(Signal("blocked", reason="No key.", needs="human_decision")), "blocked",
        "testing", 3, says="No key. It needs: human_decision."),
    Row("blocked, as children write it", facts(Signal("blocked", reason="no key (x)", needs="it!")),
        "blocked", "testing", 3, says="no key (x). It needs: it!"),
    Row("blocked lists what was denied", facts(Signal("blocked", reason="No."),
        run=told(denials=("Bash", "Bash"))), "blocked", "testing", 3,
            says="denied for: Bash."),
    Row("waiting for answers", facts(Signal("waiting", waits_for="qa_answers")), "waiting",
        "testing"),
    Row("waiting, and a phase", facts(Signal("waiting", waits_for="human_action", phase="quality")),
        "waiting", "quality"),
    Row("waiting for approval keeps the phase", facts(Signal("waiting", waits_for="plan_approval",
        plan="p.md", phase="done")), "waiting", "testing"),
    Row("a signal beats a non-zero exit", facts(DONE, code=1, run=told(is_error=True)), "done",
        "testing", 0),
    Row("a signal beats an API failure", facts(CONTINUE, run=failed("server_error", 529)),
        "continue"),
    Row("a signal beats the timeout", facts(CONTINUE, ended="timeout", run=UNFINISHED), "continue",
        state=after("timeout", "timeout")),
    Row("a signal beats a stop request", facts(DONE, ended="stopped", stopping=True), "done",
        "testing", 0),
    Row("continue under a stop request", facts(CONTINUE, stopping=True, run=told(**RESETS_SOON)),
        "continue"),
    Row("a signal beats a crash", facts(Signal("blocked", reason="r"), run=UNFINISHED, code=-9),
        "blocked", "testing", 3),
    Row("continue notes what was denied", facts(CONTINUE, run=told(denials=("Write",))), "continue",
        says="denied for: Write."),
]  # fmt: skip
STOPPED = [
    Row("stopped by the human", facts(ended="stopped", stopping=True, uncommitted=("a.py",)),
        "stopped", says="Uncommitted: a.py"),
    Row("a stop request beats a failure", facts(stopping=True, run=failed("authentication_failed",
        401)), "stopped"),
    Row("the loop was killed", facts(ended="killed_loop", run=UNFINISHED, code=None), "interrupted",
        says="was killed"),
    Row("a recovered signal is obeyed", facts(Signal("continue", phase="quality"),
        ended="killed_loop", code=None), "continue", "quality"),
]  # fmt: skip
BLOCKING = [
    Row("not logged in", facts(run=failed("authentication_failed", None)), "auth", "testing", 3,
        says="claude auth login"),
    Row("401", facts(run=failed("authentication_failed", 401)), "auth", "testing", 3),
    Row("cloud credentials expired", facts(run=failed("cloud_credential_error")), "auth", "testing",
        3, says="aws sso login"),
    Row("third retry with 401", facts(ended="auth", run=replace(UNFINISHED, auth_retries=3)),
        "auth", "testing", 3, says="auth login"),
    Row("a key that nobody announced", facts(ended="payer", code=-9,
        run=RunResult(init=Init(key_source="apiKeyHelper"))), "payer", "testing", 3,
        says="SAMOCODE_PAYER=key, then go on. (Claude said: apiKeySource apiKeyHelper)"),
    Row("a mode that nobody asked for", facts(ended="mode", code=-9,
        run=RunResult(init=Init(mode="default"))), "mode", "testing", 3,
        says="(Claude said: permissionMode default)"),
    Row("no credit", facts(run=failed("billing_error", 400)), "billing", "testing", 3,
        says="Top it up"),
    Row("no such model", facts(run=failed("model_not_found", 404)), "model", "testing", 3,
        says="--model"),
    Row("invalid request", facts(run=failed("invalid_request", 413)), "invalid_request", "testing",
        3, says="the words"),
    Row("an unknown 400 is permanent", facts(run=failed("unknown", 400)), "invalid_request",
        "testing", 3),
    Row("an unknown 403 is permanent", facts(run=failed("oauth_org_not_allowed", 403)),
        "invalid_request", "testing", 3),
    Row("it beats the timeout", facts(ended="timeout", run=replace(UNFINISHED,
        error="billing_error")), "billing", "testing", 3),
    Row("budget", facts(run=told(is_error=True, subtype="error_max_budget_usd")),
        "budget", "testing", 5),
]  # fmt: skip
LIMITED = [
    Row("usage limit", facts(run=failed("rate_limit", 429, **RESETS_SOON)), "limited",
        until=NOW + 630),
    Row("further than MAX_WAIT", facts(run=failed("rate_limit", 429, **RESETS_LATE)), "limited",
        "testing", 5, says="SAMOCODE_MAX_WAIT"),
    Row("just within MAX_WAIT", facts(run=failed("rate_limit", 429, limit_rejected=True,
        limit_resets_at=NOW + 3570)), "limited", until=NOW + 3600),
    Row("it reset already", facts(run=failed("rate_limit", 429, **RESETS_PAST)), "transient",
        delay=30),
    Row("it does not say when", facts(run=failed("rate_limit", 429, limit_rejected=True)),
        "transient", delay=30),
    Row("429 without a rejected limit", facts(run=failed("rate_limit", 429,
        limit_resets_at=NOW + 600)), "transient", delay=30),
    Row("continue, and the limit is rejected", facts(Signal("continue", phase="quality"),
        run=told(**RESETS_SOON)), "continue", "quality", until=NOW + 630),
    Row("continue, limit further than MAX_WAIT", facts(CONTINUE, run=told(**RESETS_LATE)),
        "continue", "testing", 5),
    Row("continue, limit reset already", facts(CONTINUE, run=told(**RESETS_PAST)), "continue"),
    Row("done under a rejected limit", facts(DONE, run=told(**RESETS_SOON)), "done", "testing", 0),
]  # fmt: skip
TRANSIENT = [
    Row("overloaded", facts(run=failed("server_error", 529)), "transient", delay=30,
        says="server_error (529)"),
    Row("no connection", facts(run=failed("server_error")), "transient", delay=30),
    Row("an unknown class", facts(run=failed("made_up_tomorrow")), "transient", delay=30),
    Row("408 is no verdict", facts(run=failed("unknown", 408)), "transient", delay=30),
    Row("the pause doubles", facts(run=failed("server_error", 529)), "transient",
        state=after(it("transient", delay=30), it("transient", delay=60)), delay=120),
    Row("up to the most", facts(run=failed("server_error", 529)), "transient",
        state=after(*[it("transient", delay=1)] * 30), delay=600),
    Row("from the start after work", facts(run=failed("server_error", 529)), "transient",
        state=after(it("transient", delay=600), "continue"), delay=30),
    Row("until MAX_WAIT", facts(run=failed("server_error", 529)), "transient", "testing", 1,
        state=after(*[it("transient", delay=600)] * 6), says="SAMOCODE_MAX_WAIT"),
    Row("exactly MAX_WAIT is still waited", facts(run=failed("server_error", 529)), "transient",
        state=after(*[it("transient", delay=600)] * 5), delay=600),
    Row("timeout", facts(ended="timeout", run=UNFINISHED, uncommitted=("a.py",)), "timeout",
        says="time limit. Uncommitted: a.py"),
    Row("second timeout", facts(ended="timeout"), "timeout", state=after("timeout")),
    Row("third timeout in a row", facts(ended="timeout"), "timeout", "testing", 3,
        state=after("timeout", "timeout"), says="CLAUDE_TIMEOUT"),
    Row("in a row skips limited and transient", facts(ended="timeout"), "timeout", "testing", 3,
        state=after("timeout", "limited", "timeout", "transient")),
    Row("not in a row", facts(ended="timeout"), "timeout", state=after("timeout", "continue",
        "timeout")),
    Row("no init", facts(ended="no_init", run=RunResult()), "crash", delay=30,
        says="did not start"),
    Row("a flood of output", facts(ended="flood", run=UNFINISHED, code=-15), "crash", delay=30,
        says="gigabyte"),
    Row("ended without a result", facts(run=UNFINISHED, code=-9), "crash", delay=30,
        says="without a result (exit code -9)"),
    Row("a claude that is too old", refused("error: unknown option '--tools'\n(Did you mean -t?)",
        RunResult()), "crash", "testing", 3, says="claude update"),
    Row("the same words of a claude that started", refused("error: unknown option '-x'",
        UNFINISHED), "crash", delay=30),
    Row("crashes double the pause", facts(run=UNFINISHED), "crash", state=after("crash", "crash"),
        delay=120),
    Row("fifth crash in a row", facts(run=UNFINISHED), "crash", "testing", 1,
        state=after("crash", "limited", "crash", "crash", "transient", "crash"),
            says="5 times in a row"),
    Row("fourth crash", facts(run=UNFINISHED), "crash", state=after("crash", "crash", "crash"),
        delay=240),
]  # fmt: skip
SILENCE = [
    Row("no signal", facts(), "no_signal", says="_signal.json"),
    Row("a bad signal", facts(RUBBISH), "bad_signal", says="not JSON"),
    Row("max turns", facts(run=told(is_error=True, subtype="error_max_turns")), "no_signal",
        says="--max-turns"),
    Row("an answer longer than the output limit", facts(run=failed("max_output_tokens")),
        "no_signal", says="output limit (or the context window): read and write in smaller pieces"),
    Row("again", facts(run=failed("max_output_tokens")), "no_signal", "testing", 3,
        state=after("no_signal"), says="smaller pieces"),
    Row("after its result", facts(ended="after_result"), "no_signal"),
    Row("twice in a row", facts(RUBBISH), "bad_signal", "testing", 3, state=after("no_signal"),
        says="2 iterations in a row"),
    Row("twice, an outage between", facts(), "no_signal", "testing", 3,
        state=after("bad_signal", "transient", "limited")),
    Row("not in a row", facts(), "no_signal", state=after("no_signal", "continue")),
    Row("failures that take turns", facts(ended="timeout", uncommitted=("a.py",)), "timeout",
        "testing", 3, state=after("crash", "timeout", "limited", "crash", "timeout",
        "no_signal"), says="crash, timeout, crash, timeout, no_signal, timeout."),
    Row("a crash is the last of them", facts(run=UNFINISHED), "crash", "testing", 3,
        state=after("timeout", "crash", "timeout", "crash", "bad_signal")),
    Row("five of them", facts(run=UNFINISHED), "crash", state=after("continue", "timeout", "crash",
        "timeout", "no_signal"), delay=30),
    Row("an outage is none of them", facts(run=failed("server_error", 529)), "transient",
        state=after("crash", "timeout", "crash", "timeout", "no_signal"), delay=30),
]  # fmt: skip
CIRCLES = [
    Row("idle", facts(CONTINUE, progress=False), "continue", state=after(IDLE)),
    Row("stalled", facts(CONTINUE, progress=False), "stalled", "testing", 3, state=after(IDLE,
        IDLE), says="no commit, no change, no new file"),
    Row("stalled across an outage", facts(CONTINUE, progress=False), "stalled", "testing", 3,
        state=after(IDLE, "transient", IDLE, "limited")),
    Row("work between is no stall", facts(CONTINUE, progress=False), "continue", state=after(IDLE,
        "continue")),
    Row("another outcome between is no stall", facts(CONTINUE, progress=False), "continue",
        state=after(IDLE, IDLE, "timeout")),
    Row("progress is no stall", facts(CONTINUE), "continue", state=after(IDLE, IDLE)),
    Row("entered for the 6th time", facts(Signal("continue", phase="quality")), "continue",
        "quality", state=after(entered={"quality": 5})),
    Row("entered for the 7th time", facts(Signal("continue", phase="quality")), "looping",
        "quality", 3, state=after(entered={"quality": 6}), says="7th time"),
    Row("staying is not entering", facts(CONTINUE), "continue",
        state=after(entered={"testing": 6})),
    Row("a stop request comes first", facts(Signal("continue", phase="quality"), stopping=True),
        "continue", "quality", state=after(entered={"quality": 6})),
]  # fmt: skip
TABLE = [*FIRST, *SIGNALLED, *STOPPED, *BLOCKING, *LIMITED, *TRANSIENT, *SILENCE, *CIRCLES]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_decide(row: Row) -> None:
    found = policy.decide(row.facts, row.state, LIMITS, TIMEOUTS)
    code = found.stop.code if found.stop else None
    assert (found.outcome, found.next, code) == (row.outcome, row.next, row.exit)
    pause = (found.pause.seconds, found.pause.until) if found.pause else (0.0, None)
    assert pause == (row.delay, row.until)
    assert row.says in f"{found.why}\n{found.note}"


def test_every_stop_says_why() -> None:
    found = [policy.decide(row.facts, row.state, LIMITS, TIMEOUTS) for row in TABLE]
    stops = [d for d in found if d.stop and d.outcome != "done"]
    assert stops and all(d.why.strip() for d in stops)


def test_every_failure_tells_the_next_iteration() -> None:
    """What the next child cannot know of itself stands in the note: left-over changes, for one."""
    rows = [*STOPPED[:3], *TRANSIENT, *SILENCE]
    for row in rows:
        changed = replace(row.facts, uncommitted=("left.py",))
        found = policy.decide(changed, row.state, LIMITS, TIMEOUTS)
        assert "left.py" in found.note, row.name


def test_cap() -> None:
    two = replace(LIMITS, max_iterations=2)
    assert policy.cap(after(), LIMITS) is None
    assert policy.cap(after("continue"), two) is None
    code, why = policy.cap(after("continue", "transient"), two) or (None, "")
    assert code == ExitCode.LIMIT and "2 iterations" in why
    dear = replace(LIMITS, max_cost=1.0)
    assert policy.cap(after(cost_usd=0.99), dear) is None
    code, why = policy.cap(after(cost_usd=1.0), dear) or (None, "")
    assert code == ExitCode.LIMIT and "1.00 USD" in why


def over(
    ended: EndReason, code: int | None, run: RunResult = UNFINISHED, seconds: float = 0.0
) -> RunResult:
    """How a run ended."""
    return replace(run, ended=ended, exit_code=code, seconds=seconds)


@pytest.mark.parametrize(
    ("run", "spent", "cost"),
    [
        (over("itself", 0, told(cost_usd=0.3)), {"dearest": 4.0}, (0.3, False)),
        (over("itself", 0, RunResult()), {"dearest": 4.0}, (0.0, False)),  # it never started
        (over("no_init", None, RunResult()), {"dearest": 4.0}, (0.0, False)),
        (over("auth", None), {"dearest": 4.0}, (0.0, False)),
        (over("payer", -9), {"dearest": 4.0}, (0.0, False)),
        (over("auth", None, replace(UNFINISHED, answered=True)), {"dearest": 4.0}, (4.0, True)),
        (over("timeout", -15, seconds=60.1), {}, (5.0, True)),
        (over("timeout", -15, seconds=60.1), {"cost_usd": 6.0, "dearest": 1.0}, (2.0, True)),
        (over("timeout", -15, seconds=60.1), {"cost_usd": 6.0, "dearest": 3.0}, (3.0, True)),
        (over("stopped", -15, seconds=6.0), {}, (0.5, True)),
        (over("timeout", -15, seconds=60.0), {"rate": 0.01, "dearest": 0.2}, (1.2, True)),
        (over("killed_loop", None), {"dearest": 1.0}, (1.0, True)),
    ],
)
def test_what_a_run_is_booked_at(run: RunResult, spent: Any, cost: tuple[float, bool]) -> None:
    assert money.booked(run, after(**spent), replace(LIMITS, max_cost=10.0), 60.0) == cost
    found, estimated = money.booked(run, after(**spent), LIMITS, 60.0)
    uncapped = spent.get("dearest", 0.0) if cost[1] else cost[0]
    assert (found, estimated) == (uncapped, cost[1])


@pytest.mark.parametrize(("failures", "code"), [(0, None), (1, None), (2, ExitCode.BLOCKED)])
def test_verify_failed(failures: int, code: ExitCode | None) -> None:
    """Back to implementation with the output; the third time in a row blocks."""
    found = policy.verify_failed(after(verify_failures=failures), "boom")
    assert (found.outcome, found.next) == ("verify_failed", "implementation")
    assert (found.stop.code if found.stop else None) == code
    assert "boom" in found.note and found.notes == (found.note,)
