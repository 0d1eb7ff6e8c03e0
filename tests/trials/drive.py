#!/usr/bin/env python3
"""Trials of the prompts (README.md).

drive.py                      list the scenarios
drive.py start SCENARIO DIR   make the trial in DIR and start its loop
drive.py next DIR             what to do now; answers for the scripted human, and goes on
drive.py run DIR              start the loop again after it stopped (blocked, stopped, failed)
drive.py stop DIR             end the loop
drive.py grade DIR...         grade every iteration that was played
drive.py done DIR/mail/NNN    the reader's: this iteration is over; what does the check say?
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.trials.checks import failures
from tests.trials.handover import take_back
from tests.trials.played import played
from tests.trials.scenario import SCENARIOS
from tests.trials.trial import Trial

IDENTITY = "[user]\n\tname = Robin\n\temail = robin@example.invalid\n"
STEP = "sys.path.insert(0, str(Path(__file__).parents[2]))\nfrom tests.trials import "
HAND_OVER = f"{STEP}handover\nhandover.hand_over(SESSION, PROMPT)"
PATIENCE = 30.0  # seconds that `next` waits for the loop


def start(name: str, folder: Path) -> int:
    """Everything for one trial, then the loop."""
    if folder.exists():
        print(f"{folder} exists already; name a new folder.")
        return 2
    for place in ("home/.claude", "sessions", "worktrees", "mail"):
        (folder / place).mkdir(parents=True)
    (folder / "scenario").write_text(name)
    (folder / "home/.gitconfig").write_text(IDENTITY)
    trial = Trial(folder)
    trial.scenario.make_project(trial.repo, trial.environ)
    prepare(trial)
    print(f"{name}: {trial.scenario.about}")
    return run(trial)


def prepare(trial: Trial) -> None:
    """Bring the session where the scenario begins: the real loop, with the scripted reader."""
    wanted = trial.scenario
    steps = [f"{STEP}scripted\nscripted.play({s!r}, SESSION, early=True)" for s in wanted.steps]
    trial.script(*steps, default=HAND_OVER)
    while missing := len(steps) - len(trial.outcomes):
        if missing < len(steps):
            trial.answer_all()
        ended = trial.run(*trial.options(most=missing))
        if ended.code not in (4, 5):
            raise RuntimeError(f"not prepared: {ended.out}")
    for number, words in wanted.given.items():
        trial.answer(int(number), words)
    if wanted.overview:
        (trial.session / "_overview.md").write_text(wanted.overview)


def run(trial: Trial) -> int:
    """Start the loop, unless all is played."""
    if not over(trial) and not trial.running:
        trial.run_in_background(most=left(trial))
    print(f"Now: drive.py next {trial.folder}")
    return 0


def over(trial: Trial) -> bool:
    """Whether all is played that the scenario wants."""
    all_played = trial.scenario.iterations > 0 and left(trial) == 0
    return not trial.running and (trial.exit_code == 0 or all_played)


def left(trial: Trial) -> int:
    """How many iterations are still to be played; 0 also when nobody counts."""
    return max(trial.scenario.iterations - len(list(trial.mail.glob("*/finished"))), 0)


def next_step(trial: Trial) -> int:
    """What the person who drives does now."""
    here = trial.wait(PATIENCE)
    if trial.exit_code == 4 and not over(trial):
        trial.answer_all()
        run(trial)
        here = trial.wait(PATIENCE)
    if over(trial):
        print("OVER")
        return grade([trial])
    if not trial.running:
        print("\n".join((trial.folder / "log").read_text().splitlines()[-15:]))
        print(f"STOPPED with exit code {trial.exit_code}. To go on: drive.py run {trial.folder}")
    elif here is None:
        print("BUSY: ask again.")
    elif (here / "given").exists():
        print(f"WORKING: a reader has iteration {here.name}. (Dead? rm {here}/given)")
    else:
        (here / "given").touch()
        print("READER: give a fresh reader exactly this line:")
        print(f"Read {here}/brief.md and do what it says.")
    return 0


def grade(trials: Sequence[Trial]) -> int:
    """Print it all; 0: nothing failed, 1: something did, or nothing was played."""
    total, bad, failed = 0, 0, Counter[str]()
    for trial in trials:
        for it in played(trial):
            found = failures(it)
            total, bad = total + 1, bad + bool(found)
            failed.update(found.keys())
            name = f"{trial.folder.name} {it.folder.name} {it.phase}"
            print(f"{'FAIL' if found else 'ok  '} {name}: {it.ending} ({it.calls} calls)")
            for check, said in found.items():
                print(*(f"       {check}: {sentence}" for sentence in said), sep="\n")
        if tests := hidden(trial):
            bad += tests.returncode != 0
            print(f"{trial.folder.name}, hidden tests and its own: {tests.stdout[-500:]}")
    print(f"\n{total} iterations; failed: {dict(failed) or 'none'}")
    return 0 if total and not bad else 1


def hidden(trial: Trial) -> subprocess.CompletedProcess[str] | None:
    """The hidden tests and the project's own, run in the worktree; None without hidden tests, or
    before the session is done, when all is committed."""
    if not trial.scenario.hidden or trial.outcomes[-1:] != ["done"]:
        return None
    tests = trial.folder / "hidden_test.py"
    tests.write_text(trial.scenario.hidden)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."]
    return subprocess.run(
        [*command, str(tests), "."], cwd=trial.worktree, capture_output=True, text=True,
        env=trial.environ | {"PYTHONPATH": str(trial.worktree)}, check=False,
    )  # fmt: skip


def main(argv: list[str]) -> int:
    """See the top of this file."""
    what, places = (argv[0] if argv else ""), [Path(arg).resolve() for arg in argv[1:]]
    if what == "start" and len(argv) == 3 and argv[1] in SCENARIOS:
        return start(argv[1], places[1])
    if what == "done" and len(places) == 1:
        return take_back(places[0])
    if places and all((place / "scenario").exists() for place in places):
        trials = [Trial(place) for place in places]
        if what == "grade":
            return grade(trials)
        one_trial = {"next": next_step, "run": run, "stop": Trial.stop}
        if what in one_trial and len(trials) == 1:
            return one_trial[what](trials[0]) or 0
    print(__doc__)
    print("\n".join(f"{name}: {found.about}" for name, found in SCENARIOS.items()))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
