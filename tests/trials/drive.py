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

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.trials import grade, project, scenario, snapshot
from tests.trials.trial import IDENTITY, Trial

PATIENCE = 30.0  # seconds that `next` waits for the loop
MOST_SENT_BACK = 8  # then the CLI lets the child go, whatever the Stop hook says
END, CORRECT, TOO_LATE = 0, 2, 3
HOOK_LIMIT = 60.0  # seconds
BLOCKED_BY_HOOK = 2  # a Stop hook's exit code; any other one lets the child end


def start(name: str, folder: Path) -> int:
    """Everything for one trial, then the loop."""
    if folder.exists():
        print(f"{folder} exists already; name a new folder.")
        return 2
    for place in ("home/.claude", "sessions", "worktrees", "mail"):
        (folder / place).mkdir(parents=True)
    (folder / "scenario").write_text(name)
    (folder / "home" / ".gitconfig").write_text(IDENTITY)
    settings = "MAIN_REPO=project\nWORKTREES=worktrees\nSESSIONS=sessions\n"
    (folder / ".samocode").write_text(settings)
    trial = Trial(folder)
    project.make(trial)
    prepare(trial)
    print(f"{name}: {trial.scenario.about}")
    return run(trial)


def prepare(trial: Trial) -> None:
    """Bring the session where the scenario begins: the real loop, with the scripted reader."""
    wanted, steps = trial.scenario, trial.folder / "steps"
    steps.write_text("".join(f"{step}\n" for step in wanted.steps))
    while left := len(steps.read_text().splitlines()):
        if trial.history("iteration"):
            trial.answer_all()
        trial.start(most=left)
        trial.wait(4 * PATIENCE)
        if trial.exit_code not in (4, 5):
            raise RuntimeError(f"not prepared: {(trial.folder / 'log').read_text()}")
    for number, words in wanted.given.items():
        trial.answer(int(number), words)
    if wanted.overview:
        (trial.session / "_overview.md").write_text(wanted.overview)
    for name, text in wanted.dirty.items():
        with (trial.worktree / name).open("a") as file:
            file.write(text)


def run(trial: Trial) -> int:
    """Start the loop, unless all is played."""
    if not over(trial) and not trial.running:
        trial.start(most=left(trial))
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
    trial.wait(PATIENCE)
    if trial.exit_code == 4 and not over(trial):
        trial.answer_all()
        run(trial)
        trial.wait(PATIENCE)
    here = trial.handed_over()
    if trial.running and here is not None:
        if (here / "given").exists():
            print(f"WORKING: a reader has iteration {here.name}. (Dead? rm {here}/given)")
            return 0
        (here / "given").touch()
        print("READER: give a fresh reader exactly this line:")
        print(f"Read {here}/brief.md and do what it says.")
        return 0
    if trial.running:
        print("BUSY: ask again.")
        return 0
    if over(trial):
        print("OVER")
        return grade.main([trial.folder])
    print("\n".join((trial.folder / "log").read_text().splitlines()[-15:]))
    print(f"STOPPED with exit code {trial.exit_code}. To go on: drive.py run {trial.folder}")
    return 0


def done(here: Path) -> int:
    """Run the Stop hook as the CLI does: the iteration is over, or the reader corrects."""
    if (here / "after.json").exists():
        print("This iteration is over already. End now.")
        return TOO_LATE
    sent_back = len(list(here.glob("hook-*.txt")))
    said = hook(here) if sent_back < MOST_SENT_BACK else ""
    if said:
        (here / f"hook-{sent_back + 1}.txt").write_text(said)
        print(said)
        return CORRECT
    snapshot.take(Trial(here.parents[1]), here / "after.json")
    (here / "finished").touch()
    print("The check accepts. You may end; do nothing more.")
    return END


def hook(here: Path) -> str:
    """What the Stop hooks of --settings complain about; "" for nothing."""
    settings: dict[str, Any] = json.loads((here / "settings.json").read_text())
    environ: dict[str, str] = json.loads((here / "environ.json").read_text())
    for entry in (entry for group in settings["hooks"]["Stop"] for entry in group["hooks"]):
        asked = {"hook_event_name": "Stop", "cwd": environ["PWD"], "stop_hook_active": False}
        ended = subprocess.run(
            ["/bin/sh", "-c", entry["command"]], input=json.dumps(asked), cwd=environ["PWD"],
            env=environ, capture_output=True, text=True, timeout=HOOK_LIMIT, check=False,
        )  # fmt: skip
        if ended.returncode == BLOCKED_BY_HOOK:
            return ended.stderr.strip() or "The Stop hook sends you back."
    return ""


def main(argv: list[str]) -> int:
    """See the top of this file."""
    what, places = (argv[0] if argv else ""), [Path(arg).resolve() for arg in argv[1:]]
    if what == "start" and len(argv) == 3 and argv[1] in scenario.names():
        return start(argv[1], places[1])
    if what == "grade" and places:
        return grade.main(places)
    if what == "done" and len(places) == 1:
        return done(places[0])
    one_trial = {"next": next_step, "run": run, "stop": Trial.stop}
    if what in one_trial and len(places) == 1:
        return one_trial[what](Trial(places[0])) or 0
    print(__doc__)
    print("\n".join(f"{name}: {scenario.load(name).about}" for name in scenario.names()))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
