"""--check --live: one small call of claude, with the flags, hook and walls of an iteration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory

from samocode import __version__
from samocode.check.finding import Finding, Place, ok, problem, warning
from samocode.child.command import Job
from samocode.child.run import run
from samocode.child.shutdown import Shutdown
from samocode.child.stream import Event, RunResult
from samocode.decide.failures import BLOCKING, error_class
from samocode.decide.signal import read
from samocode.pages.names import HISTORY, LOGS, SIGNAL
from samocode.record.history import VERSION, History
from samocode.record.state import SessionState
from samocode.settings.load import Settings
from samocode.settings.timeouts import Timeouts
from samocode.show.live import introduced

BUDGET = 0.1  # USD; claude looks at it after each request
SECONDS = 90.0
PROMPT = """\
Write exactly this line into the file {signal} with the Write tool, then answer OK and end:
{{"status": "done", "summary": "The check works."}}
"""


def live(place: Place, timeouts: Timeouts) -> list[Finding]:
    """Let claude write a signal in a temporary folder, and return the findings."""
    heard: list[Event] = []
    with TemporaryDirectory(prefix="samocode-check-") as scratch:
        folder = Path(scratch).resolve() / "check"
        (folder / LOGS).mkdir(parents=True)
        History(folder / HISTORY).append("session", v=VERSION, name="check", place=scratch)
        started = {"pid": os.getpid(), "version": __version__}
        History(folder / HISTORY).append("start", **started)
        log = folder / LOGS / "001-check.jsonl"
        job = Job(
            folder, Path(scratch), log, SECONDS, BUDGET, approved=True, phase="check", tools="Write"
        )  # fmt: skip
        prompt = PROMPT.format(signal=folder / SIGNAL).encode()
        settings = _reporting(place.settings)
        ended = run(settings, prompt, job, Shutdown(), timeouts, lambda e: heard.append(e or {}))
        return [*_end(ended), *_signal(ended, folder), *_hook(heard, ended), _cost(ended)]


def _reporting(settings: Settings) -> Settings:
    """Return settings with which claude reports its hooks and stores no conversation."""
    changed = copy(settings)
    added = ("--include-hook-events", "--no-session-persistence")
    vars(changed)["claude_args"] = (*settings.claude_args, *added)
    return changed


def _end(ended: RunResult) -> Iterator[Finding]:
    if ended.init:
        yield ok(introduced(ended.init))
    kind = error_class(ended)
    if kind in BLOCKING:
        yield problem(f"the call failed.{ended.last_output}", BLOCKING[kind][1])
    elif ended.is_error or not ended.answered:
        why = ended.subtype if ended.finished and ended.is_error else ended.ended
        text = f"the call failed ({why}).{ended.last_output}"
        yield problem(text, "Try claude -p hello in this shell.")
    else:
        yield ok(f"the login works: {ended.model or 'claude'} answered")


def _signal(ended: RunResult, folder: Path) -> Iterator[Finding]:
    if not ended.answered:
        return
    check = read(folder, SessionState(), None, {})
    if check.signal:
        yield ok("claude wrote its signal")
        return
    denied = f" Denied: {', '.join(ended.denials)}." if ended.denials else ""
    why = " ".join(check.problems) or "the file is missing"
    yield problem(f"claude wrote no valid signal: {why}{denied}", "See README, Security.")


def _hook(heard: list[Event], ended: RunResult) -> Iterator[Finding]:
    if not ended.answered or ended.is_error:
        return
    stops = [
        e for e in heard if (e.get("subtype"), e.get("hook_event")) == ("hook_response", "Stop")
    ]
    wrong = next((e for e in stops if e.get("exit_code") not in (0, 2)), None)
    if wrong:
        said = " ".join(str(wrong.get("stderr")).split())[:200]
        text = f"a Stop hook failed (exit code {wrong.get('exit_code')}): {said}"
        yield problem(text, "Correct it. Without the hook, a wrong signal costs an iteration.")
    elif stops:
        yield ok("the Stop hook ran")
    else:
        yield warning(
            "no Stop hook ran", "Look for a policy that forbids hooks (managed settings)."
        )


def _cost(ended: RunResult) -> Finding:
    if ended.cost_usd is None:
        text = f"the cost is unknown, at most some {BUDGET:.2f} USD"
        return warning(text, "Claude's own usage page has it.") if ended.answered else ok("no cost")
    return ok(f"it cost {ended.cost_usd:.4f} USD at list prices, in {ended.seconds:.0f} s")
