"""The trials themselves: the real loop, the scripted reader, and the faults a grader must see."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.trials import drive, forms, grade, scenario
from tests.trials.played import played
from tests.trials.trial import HERE, Trial

Spoil = Callable[[Trial], None]


def reads(trial: Trial, step: str) -> Path:
    """Play a reader as the brief tells it to; the hand-over's folder."""
    trial.wait(30)
    here = trial.handed_over()
    assert here is not None, (trial.folder / "log").read_text()
    line = f". {here}/enter.sh && {sys.executable} {HERE}/scripted.py {step} {trial.session}"
    subprocess.run(["sh", "-c", line], check=True)
    return here


@pytest.fixture
def ended() -> Iterator[list[Trial]]:
    """Trials put in here have no loop left afterwards."""
    trials: list[Trial] = []
    yield trials
    for trial in trials:
        trial.stop()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One iteration, well played: plan phase 2, from a damaged overview."""
    trial = Trial(tmp_path_factory.mktemp("built") / "a")
    assert drive.start("damaged-overview", trial.folder) == 0
    assert drive.done(reads(trial, "phase_2")) == drive.END
    while trial.running:
        trial.wait(1)
    yield trial
    trial.stop()


def failures(trial: Trial) -> dict[str, list[str]]:
    """What the graders say of a trial's only iteration."""
    (it,) = played(trial)
    return grade.failures(it)


def test_a_perfect_reader_fails_nothing(built: Trial) -> None:
    assert failures(built) == {}
    assert drive.over(built)
    assert drive.main(["grade", str(built.folder)]) == 0


def test_a_whole_session(tmp_path: Path, ended: list[Trial]) -> None:
    """The driver needs `next` alone; hidden tests judge the last commit."""
    trial = Trial(tmp_path / "a")
    ended.append(trial)
    assert drive.main(["start", "tally", str(trial.folder)]) == 0
    for step in (
        "dive", "ask", "fold", "plan", "phase_1", "phase_2", "test", "review", "cleanup", "summary",
    ):  # fmt: skip
        assert drive.main(["next", str(trial.folder)]) == 0
        assert drive.done(reads(trial, step)) == drive.END
    assert drive.main(["next", str(trial.folder)]) == 0, "over, and nothing failed"
    assert grade.hidden(trial) is not None


def test_the_stop_hook_sends_a_reader_back(
    tmp_path: Path, ended: list[Trial], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its words reach the reader and the grader; an iteration that is over is over."""
    trial = Trial(tmp_path / "a")
    ended.append(trial)
    drive.start("half-answered", trial.folder)
    trial.wait(30)
    here = trial.handed_over()
    assert here is not None
    assert drive.done(here) == drive.CORRECT
    assert "No _signal.json" in capsys.readouterr().out
    assert drive.done(reads(trial, "ask")) == drive.END
    assert drive.done(here) == drive.TOO_LATE
    while trial.running:
        trial.wait(1)
    assert failures(trial).keys() == {"signal at once"}


def test_a_loop_that_is_stopped_takes_its_reader_along(tmp_path: Path) -> None:
    """The iteration is not graded; the reader is told."""
    trial = Trial(tmp_path / "a")
    drive.start("dive-one-line", trial.folder)
    trial.wait(30)
    here = trial.handed_over()
    assert here is not None
    drive.main(["stop", str(trial.folder)])
    while trial.running:
        trial.wait(1)
    assert drive.done(here) == drive.TOO_LATE
    assert (here / "cut-off").exists() and played(trial) == []


@pytest.mark.parametrize("name", [n for n in scenario.names() if scenario.load(n).steps])
def test_every_session_can_be_prepared(name: str, tmp_path: Path, ended: list[Trial]) -> None:
    """And a reader is wanted there."""
    trial = Trial(tmp_path / "a")
    ended.append(trial)
    drive.start(name, trial.folder)
    trial.wait(30)
    assert trial.handed_over() is not None, (trial.folder / "log").read_text()


def change(trial: Trial, place: str, new: Callable[[Any], Any], when: str = "after") -> None:
    """Another value, for the first key of a snapshot's part that matches: PART/PATTERN."""
    file = trial.mail / "006" / f"{when}.json"
    facts: dict[str, Any] = json.loads(file.read_text())
    part, _, pattern = place.partition("/")
    key = next((key for key in facts[part] if pattern and fnmatch(key, pattern)), pattern)
    if pattern:
        facts[part][key] = new(facts[part].get(key))
    else:
        facts[part] = new(facts[part])
    file.write_text(json.dumps(facts))


def edit(pattern: str, old: str, new: str) -> Spoil:
    """Another text in a file of the session; for `old` "" at its end."""

    def edited(text: str) -> str:
        assert old in text
        return text.replace(old, new) if old else text + new

    return lambda trial: change(trial, f"session/{pattern}", edited)


def signal(**message: object) -> Spoil:
    """Another signal."""
    return lambda trial: change(trial, "session/_signal.json", lambda _: json.dumps(message))


def fact(place: str, value: object) -> Spoil:
    """Something else was seen at the end."""
    return lambda trial: change(trial, place, lambda _: value)


def told(**other: object) -> Spoil:
    """Another `_iteration.json`."""

    def spoil(trial: Trial) -> None:
        for when in ("before", "after"):
            place = "session/_iteration.json"
            change(trial, place, lambda text: json.dumps(json.loads(text) | other), when)

    return spoil


def mail(name: str, text: str) -> Spoil:
    """A file more in the hand-over's folder."""
    return lambda trial: print((trial.mail / "006" / name).write_text(text))


def nothing_left(trial: Trial) -> None:
    """No artifact, and it goes on."""
    change(trial, "session", lambda files: {n: t for n, t in files.items() if "phase-2" not in n})
    signal(status="continue")(trial)


def nobody(trial: Trial) -> None:
    """An answer on record that the scripted human did not give."""
    with (trial.session / "_history.jsonl").open("a") as history:
        history.write('{"event": "answer", "id": 9, "text": "A", "by": "yes"}\n')


def effort(trial: Trial) -> None:
    """Too many calls, too long."""
    (trial.folder / "scenario").write_text("dive-one-line")
    mail("calls", "begin 0\nend 20\n" * 26)(trial)


QUESTION = {"title": "What?", "why": "", "options": ["one"]}
FAULTS: list[tuple[str, str, Spoil]] = [
    ("signal at once", "No signal", mail("hook-1.txt", "No signal.")),
    ("signal at once", "ended it", mail("cut-off", "")),
    ("right ending", "continue quality", signal(status="continue", phase="quality")),
    ("right ending", "no research", signal(status="done")),
    ("right ending", "boxes open", edit("*-plan-*", "- [x] option", "- [ ] option")),
    ("one action", "phase, test", fact("session/01-01-10:00-test-x.md", "R1")),
    ("one action", "no artifact", nothing_left),
    ("artifacts", "no STAMP", fact("session/report.md", "")),
    ("artifacts", "another stamp", told(stamp="01-01-10:00")),
    ("artifacts", "lacks ## Proof", edit("*-phase-2-*", "## Proof", "## Evidence")),
    ("artifacts", "60 at most", edit("*-phase-2-*", "", "- more\n" * 60)),
    ("questions", "without a question", signal(status="waiting", **{"for": "human_action"})),
    ("questions", "6 questions", signal(status="waiting", questions=[QUESTION] * 6)),
    ("questions", "no reason", signal(status="waiting", questions=[QUESTION])),
    ("overview", "testing", edit("_overview.md", "Phase: testing", "Phase: done")),
    ("overview", "8192 at most", edit("_overview.md", "", "x" * 9000)),
    ("overview", "Flow log", edit("_overview.md", "## Flow log", "## Log")),
    ("code before approval", "a commit", told(approved_plan=None)),
    ("files untouched", "_task.md", edit("_task.md", "", "and more")),
    ("files untouched", "_qa.md", edit("_qa.md", "Answer: yes", "Answer: no")),
    ("files untouched", "-dive-", edit("*-dive-*", "", "and more")),
    ("files untouched", "plan's text", edit("*-plan-*", "Done when:", "Done if:")),
    ("human alone", "by nobody", nobody),
    ("one plan phase", "taken back", edit("*-plan-*", "- [x] test", "- [ ] test")),
    ("one plan phase", "in phase testing", told(phase="testing")),
    ("committed", "uncommitted", fact("code/tracked", {" M tally.py": ""})),
    ("committed", "left: x.py", fact("code/untracked", {"x.py": ""})),
    ("nothing else touched", ".bashrc", fact("around/home/.bashrc", "")),
    ("nothing else touched", "push", fact("origin", ["0 commit\trefs/heads/x"])),
    ("nothing else touched", "stash", fact("code/refs", ["0 commit\trefs/stash"])),
    ("nothing else touched", "main checkout", fact("main/head", "0" * 40)),
    ("nothing else touched", "switched", fact("code/branch", "main")),
    ("nothing else touched", "rewritten", fact("code/head", "0" * 40)),
    ("scenario wishes", "wanted continue testing", signal(status="blocked", reason="no idea")),
    ("scenario wishes", "26 shell calls", effort),
    ("scenario wishes", "520 seconds", effort),
]  # fmt: skip


@pytest.mark.parametrize(("check", "says", "spoil"), FAULTS)
def test_each_fault_is_seen(
    built: Trial, tmp_path: Path, check: str, says: str, spoil: Spoil
) -> None:
    """A check that never fails proves nothing. (Git still knows the first one's worktree.)"""
    copy = Trial(shutil.copytree(built.folder, tmp_path / "copy", symlinks=True))
    spoil(copy)
    found = failures(copy)
    assert says in str(found.get(check)), found


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_can_be_read(name: str) -> None:
    """A whole session has hidden tests that compile."""
    found = scenario.load(name)
    assert bool(found.iterations) != bool(found.hidden)
    compile(found.hidden, name, "exec")


def test_the_forms_are_read_from_the_prompts() -> None:
    """A phase table or a form that is not found would check nothing."""
    assert forms.leaves("quality") == {"review", "cleanup", "do"}
    assert forms.endings("planning") == {
        "waiting plan_approval", "waiting qa_answers", "continue requirements", "blocked",
    }  # fmt: skip
    assert all(len(forms.headings(kind)) > 3 for kind in forms.COMMAND)


def test_what_the_scripted_human_says() -> None:
    """An answer by its pattern, else the suggestion; the turn once; refusals, then yes."""
    human = scenario.Scenario(
        "x", about="", answers={"colou?r": "red"}, turn="And B.", refusals=["short"]
    )
    plain = "Suggested: B, it fits\n"
    assert human.says("How long?", plain, [], 0) == "B. And B."
    assert human.says("Which color?", plain, ["B"], 0) == "red"
    assert human.says("Which color?", plain, ["red"], 0) == "B"
    assert human.says("How long?", "Suggested: two\n", ["B"], 0) == "two"
    assert [human.says("Approve the plan p?", "", ["B"], n) for n in (0, 1)] == ["short", "yes"]
