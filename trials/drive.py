"""start, run, next, answer: what the driver of a trial calls."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from trials import projects, scenario, states
from trials.trial import IDENTITY, Trial

PATIENCE = 30.0  # seconds that `next` waits for something to happen


def start(argv: list[str]) -> int:
    """start SCENARIO DIR [--run]: make everything for one trial in DIR."""
    if len(argv) < 2 or argv[0] not in scenario.names():
        print(f"usage: start SCENARIO DIR [--run]\nscenarios: {', '.join(scenario.names())}")
        return 2
    wanted, folder = scenario.load(argv[0]), Path(argv[1]).resolve()
    trial = Trial(folder)
    folders(trial, wanted)
    projects.make(wanted, trial)
    if wanted.state:
        states.make(wanted.state, trial)
    print(f"scenario {wanted.name}: {wanted.about}\nmailbox: {trial.mail}")
    if "--run" in argv:
        return run([str(folder)])
    print(f"now: {Path(__file__).parent}/run {folder}")
    return 0


def run(argv: list[str]) -> int:
    """run DIR: start the real loop in the background."""
    trial = Trial(Path(argv[0]).resolve())
    if trial.over:
        print(f"TRIAL OVER: grade it with {Path(__file__).parent}/grade.py {trial.folder}")
        return 0
    if trial.running:
        print(f"its loop runs already (pid {(trial.folder / 'loop.pid').read_text()})")
        return 1
    print(f"loop started, pid {trial.run()}; then: {Path(__file__).parent}/next {trial.folder}")
    return 0


def next_step(argv: list[str]) -> int:
    """next DIR: what there is to do now."""
    trial = Trial(Path(argv[0]).resolve())
    until = time.monotonic() + PATIENCE
    while trial.running and trial.handed_over() is None and time.monotonic() < until:
        time.sleep(0.2)
    over = trial.handed_over() if trial.running else None
    if over is None:
        return _told(trial)
    given = over / "given"
    if given.exists():
        print(f"WORKING {over.name}: given to a reader at {given.read_text().strip()}")
        return 0
    given.write_text(f"{datetime.now():%H:%M:%S}\n")
    if trial.facts["deadline"]:
        _near(trial, over)
    print(f"READER {over.name}: give a fresh reader exactly this:")
    print(f"Read {over}/brief.md and do what it says.")
    return 0


def answer(argv: list[str]) -> int:
    """answer DIR [N TEXT]: the human's answer; without N the scripted one to each open question.
    Starts the loop again once nothing is open."""
    trial = Trial(Path(argv[0]).resolve())
    if trial.running:
        print("its loop still runs")
        return 1
    if len(argv) == 3:
        trial.answer(int(argv[1]), argv[2])
        print(f"Q{argv[1]}: {argv[2]}")
    else:
        _by_script(trial)
    time.sleep(1.2)  # the file counts once it has been unchanged for a second
    return run(argv[:1])


def folders(trial: Trial, wanted: scenario.Scenario, **more: str) -> None:
    """A trial's empty places, its settings, and what `Trial.facts` tells; `more` goes in there."""
    trial.folder.mkdir(parents=True)
    for name in ("home/.claude", "sessions", "worktrees", "mail"):
        (trial.folder / name).mkdir(parents=True)
    (trial.folder / "home" / ".gitconfig").write_text(IDENTITY)
    (trial.folder / ".samocode").write_text(
        "MAIN_REPO=project\nWORKTREES=worktrees\nSESSIONS=sessions\n"
    )
    facts = {
        "scenario": wanted.name,
        "python": sys.executable,
        "timeout": wanted.timeout,
        "deadline": wanted.deadline,
        "iterations": wanted.iterations,
        "task": wanted.task,
        "dive": wanted.dive,
        "began": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
    }
    (trial.folder / "trial.json").write_text(json.dumps(facts | more, indent=1))


def _by_script(trial: Trial) -> None:
    wanted = scenario.load(trial.facts["scenario"])
    first = not any(line["event"] == "answer" for line in trial.history)
    asked = [line["id"] for line in trial.history if line.get("kind") == "approval"]
    still = trial.open_questions()
    refused = len(asked) - 1  # the newest is the open one
    for question in still:
        told = wanted.says(question, first, refused)
        first = False
        trial.answer(question.id, told)
        print(f"Q{question.id} {question.title}\n   -> {told}")


def _near(trial: Trial, over: Path) -> None:
    """The deadline counts from the moment the reader gets the hand-over, not from when the loop
    began to wait for one."""
    moment = datetime.now().astimezone() + timedelta(seconds=trial.facts["deadline"])
    path = trial.session / "_iteration.json"
    told = json.loads(path.read_text()) | {"deadline": moment.isoformat(timespec="seconds")}
    path.write_text(json.dumps(told))
    shutil.copy2(path, over / "before" / path.name)


def _told(trial: Trial) -> int:
    """What the driver hears when no reader is wanted."""
    if trial.running:
        print("BUSY: the loop runs and has handed nothing over yet; ask again")
        return 0
    path = trial.folder / "loop.exit"
    code = path.read_text() if path.exists() else "none"
    print(f"ENDED with exit code {code}")
    if trial.over or code == "0":
        print(f"TRIAL OVER: grade it with {Path(__file__).parent}/grade.py {trial.folder}")
        return 0
    for question in trial.open_questions() if code == "4" else []:
        print(f"\n{question.text.rstrip()}")
    if code == "4":
        here = Path(__file__).parent
        print(f"\nWAITING. By the script: {here}/answer {trial.folder}")
        print(f"or in your words:  {here}/answer {trial.folder} N TEXT   (loop starts at once)")
    else:
        tail = ["tail", "-n", "15", str(trial.folder / "loop.log")]
        print(subprocess.run(tail, capture_output=True, text=True, check=False).stdout)
    return 0
