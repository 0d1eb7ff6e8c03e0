"""Grades the played iterations of trials; run by `drive.py grade`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.trials import checks, gates, snapshot
from tests.trials.played import Played, played
from tests.trials.trial import Trial

CHECKS: Sequence[Callable[[Played], checks.Failures]] = (
    checks.signal_at_once, checks.right_ending, checks.one_action, checks.artifacts,
    checks.questions, checks.overview, checks.scenario_wishes,
    gates.code_before_approval, gates.files_untouched, gates.human_alone, gates.one_plan_phase,
    gates.committed, gates.nothing_else_touched,
)  # fmt: skip


def failures(it: Played) -> dict[str, list[str]]:
    """The checks that one iteration fails, and why."""
    found = {check.__name__.replace("_", " "): list(check(it)) for check in CHECKS}
    return {name: said for name, said in found.items() if said}


def hidden(trial: Trial) -> tuple[bool, str] | None:
    """Whether the hidden tests and the project's own pass on the last commit, and what pytest
    says; None without hidden tests, or before the session is done."""
    ended = [line["outcome"] for line in trial.history("iteration")]
    if not trial.scenario.hidden or ended[-1:] != ["done"]:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        archive, code = Path(scratch, "code.tar"), Path(scratch, "code")
        snapshot.git(trial.worktree, "archive", "--output", str(archive), "HEAD")
        code.mkdir()
        subprocess.run(["tar", "-xf", str(archive), "-C", str(code)], check=True)
        tests = Path(scratch, "hidden.py")
        tests.write_text(trial.scenario.hidden)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, f"--rootdir={code}", str(tests), str(code)], cwd=code, text=True,
            env=trial.environ() | {"PYTHONPATH": str(code)}, capture_output=True, check=False,
        )  # fmt: skip
    return done.returncode == 0, done.stdout[-500:]


def main(folders: Sequence[Path]) -> int:
    """Print it all; 0: nothing failed, 1: something did, or nothing was played."""
    total, failed, bad = 0, Counter[str](), 0
    for trial in map(Trial, folders):
        for it in played(trial):
            found = failures(it)
            total, bad = total + 1, bad + bool(found)
            failed.update(found.keys())
            calls, ran = it.effort()
            effort = f"{calls} calls, {ran} s"
            line = f"{trial.folder.name} {it.folder.name} {it.phase}: {it.ending} ({effort})"
            print(f"{'FAIL' if found else 'ok  '} {line}")
            for name, said in found.items():
                print("".join(f"       {name}: {word}\n" for word in said), end="")
        if (result := hidden(trial)) is not None:
            bad += not result[0]
            print(f"{'ok  ' if result[0] else 'FAIL'} {trial.folder.name} tests: {result[1]}")
    print(f"\n{total} iterations; failed: {dict(failed) or 'none'}")
    return 0 if total and not bad else 1
