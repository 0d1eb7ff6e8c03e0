"""The trials themselves: the real loop, the scripted reader, and the faults a grader must see."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from samocode.record.state import Question
from tests.outer.speech import wait_for
from tests.trials import checks, drive, handover
from tests.trials.played import played
from tests.trials.scenario import SCENARIOS, Scenario
from tests.trials.trial import HERE, Trial

Begin = Callable[[str], tuple[Trial, Path]]
Changes = dict[str, str]  # pattern -> text in its place, in a file of the hand-over
SESSION = "dive questions requirements plan phase-1 phase-2 test review cleanup summary"


def reads(here: Path, step: str) -> int:
    """Play a reader as the brief tells it to."""
    session = Trial(here.parents[1]).session
    line = f". {here}/enter.sh && {sys.executable} {HERE}/scripted.py {step} {session}"
    subprocess.run(["sh", "-c", line], check=True)
    return handover.take_back(here)


def failures(trial: Trial) -> dict[str, list[str]]:
    """What the checks say of a trial's only iteration."""
    wait_for(lambda: not trial.running)
    (it,) = played(trial)
    return checks.failures(it)


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """Start a trial and wait for its first hand-over. No loop is left running."""
    trials: list[Trial] = []

    def begin(name: str) -> tuple[Trial, Path]:
        folder = tmp_path_factory.mktemp(name) / "a"
        assert drive.main(["start", name, str(folder)]) == 0
        trials.append(Trial(folder))
        here = trials[-1].wait(60)
        assert here is not None, (folder / "log").read_text()
        return trials[-1], here

    yield begin
    for trial in trials:
        trial.stop()


@pytest.fixture(scope="module")
def built(begin: Begin) -> Trial:
    """One iteration, well played: plan phase 2, from a damaged overview."""
    trial, here = begin("damaged-overview")
    assert reads(here, "phase-2") == handover.END
    wait_for(lambda: not trial.running)
    return trial


def test_a_perfect_reader_fails_nothing(built: Trial) -> None:
    assert failures(built) == {}
    assert drive.main(["next", str(built.folder)]) == 0, "over, and graded"


def test_a_whole_session(begin: Begin) -> None:
    """The driver needs `next` alone; hidden tests judge the last commit."""
    trial, _ = begin("tally")
    for step in SESSION.split():
        assert drive.main(["next", str(trial.folder)]) == 0
        here = trial.wait(60)
        assert here is not None
        assert reads(here, step) == handover.END
    assert drive.main(["next", str(trial.folder)]) == 0, "over, and nothing failed"
    assert drive.hidden(trial) is not None


def test_the_stop_hook_sends_a_reader_back(
    begin: Begin, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its words reach the reader and the grader; an iteration that is over is over."""
    trial, here = begin("half-answered")
    assert handover.take_back(here) == handover.CORRECT
    assert "No _signal.json" in capsys.readouterr().out
    assert reads(here, "questions") == handover.END
    assert handover.take_back(here) == handover.TOO_LATE
    assert failures(trial).keys() == {"signal at once"}


def test_a_loop_that_is_stopped_takes_its_reader_along(begin: Begin) -> None:
    """The iteration is not graded; the reader is told."""
    trial, here = begin("dive-one-line")
    drive.main(["stop", str(trial.folder)])
    wait_for(lambda: not trial.running)
    assert handover.take_back(here) == handover.TOO_LATE
    assert (here / "cut-off").exists()
    assert played(trial) == []


@pytest.mark.parametrize("name", ["refused-plan", "review"])
def test_every_session_can_be_prepared(name: str, begin: Begin) -> None:
    """A reader is wanted there. (The others are begun above.)"""
    assert begin(name)[1].name == f"{len(SCENARIOS[name].steps) + 1:03d}"


def signal(**message: object) -> Changes:
    """Another signal."""
    return {r'"_signal.json": ".*"': f'"_signal.json": {json.dumps(json.dumps(message))}'}


AFTER, BEFORE = "after.json", "before.json"
NO_REPORT = {r'"[^"]*-phase-2-min.md": ".*",': ""}
A_TEST_REPORT = {r'"(\S+)-phase-2-min.md"': r'"\1-test-x.md": "R1", "\1-phase-2-min.md"'}
WAITS = {"status": "waiting", "for": "qa_answers"}
QUESTION = {"title": "What?", "why": "So.", "suggested": "A", "options": list("abcde")}
FAULTS: list[tuple[str, str, str, Changes]] = [
    ("signal at once", "No signal", "hook-1.txt", {r"\Z": "No signal."}),
    ("signal at once", "ended it", "cut-off", {}),
    ("right ending", "continue quality", AFTER, signal(status="continue", phase="quality")),
    ("right ending", "no signal", AFTER, {r'"_signal.json": ".*"': '"_signal.json": "{"'}),
    ("right ending", "no research", AFTER, signal(status="done", summary="all")),
    ("right ending", "boxes open", AFTER, {r"- \[x\] filter": "- [ ] filter"}),
    ("one action", "phase, test", AFTER, A_TEST_REPORT),
    ("one action", "no artifact", AFTER, NO_REPORT | signal(status="continue")),
    ("artifacts", "report.md is no", AFTER, {'"session": {': '"session": {"report.md": "",'}),
    ("artifacts", "is no 01-", BEFORE, {r'\\"stamp\\": \\"': r'\"stamp\": \"01-'}),
    ("artifacts", "lacks ## Proof", AFTER, {"## Proof": "## Evidence"}),
    ("artifacts", "60 at most", AFTER, {"## Proof": "## Proof" + r"\\n" * 60}),
    ("questions", "6 questions", AFTER, signal(**WAITS, questions=[QUESTION] * 6)),
    ("questions", "5 options", AFTER, signal(**WAITS, questions=[QUESTION])),
    ("overview", "testing", AFTER, {"Phase: testing": "Phase: done"}),
    ("overview", "8192 at most", AFTER, {"Phase: testing": "Phase: testing" + "x" * 9000}),
    ("overview", "Flow log", AFTER, {"## Flow log": "## Log"}),
    ("files untouched", "_task.md", AFTER, {'"_task.md": "': '"_task.md": "And more. '}),
    ("files untouched", "_qa.md", AFTER, {"Answer: yes": "Answer: no"}),
    ("files untouched", "-dive-", AFTER, {'-dive-min.md": "': '-dive-min.md": "And more. '}),
    ("files untouched", "plan's text", AFTER, {"Done when:": "Done if:"}),
    ("one plan phase", "taken back", AFTER, {r"- \[x\] test": "- [ ] test"}),
    ("one plan phase", "in phase testing", BEFORE, {r'"implementation\\"': r'"testing\"'}),
    ("committed", " M tally.py", AFTER, {'"dirty": {': '"dirty": {" M tally.py": ""'}),
    ("committed", "?? x.py", AFTER, {'"dirty": {': '"dirty": {"?? x.py": ""'}),
    ("committed", "beside", AFTER, A_TEST_REPORT),
    ("nothing else touched", "README", BEFORE, {'"dirty": {': '"dirty": {"?? README": ""'}),
    ("nothing else touched", "x/.bashrc", AFTER, {'"outside": {': '"outside": {"x/.bashrc": "",'}),
    ("nothing else touched", "tally.py", AFTER, {'"project/tally.py": "': r"\g<0>x"}),
    ("nothing else touched", "switched", AFTER, {'"branch": ".*"': '"branch": "main"'}),
    ("nothing else touched", "rewritten", AFTER, {'"head": ".*"': '"head": "main"'}),
    ("scenario wishes", "wanted", AFTER, signal(status="blocked", reason="no idea")),
    ("scenario wishes", "61 shell calls", "calls", {r"\Z": "call\n" * 60}),
]  # fmt: skip


@pytest.mark.parametrize(("check", "says", "file", "changes"), FAULTS)
def test_each_fault_is_seen(
    built: Trial, tmp_path: Path, check: str, says: str, file: str, changes: Changes
) -> None:
    """A check that never fails proves nothing. (Git still knows the first one's worktree.)"""
    copy = Trial(shutil.copytree(built.folder, tmp_path / "copy", symlinks=True))
    path = copy.mail / "006" / file
    path.touch()
    for old, new in changes.items():
        path.write_text(re.sub(old, new, path.read_text()))
    found = failures(copy)
    assert says in str(found.get(check)), found


@pytest.mark.parametrize("found", SCENARIOS.values(), ids=SCENARIOS)
def test_a_whole_session_has_hidden_tests(found: Scenario) -> None:
    assert bool(found.iterations) != bool(found.hidden)
    compile(found.hidden, "hidden", "exec")


def test_what_the_scripted_human_says() -> None:
    """An answer by its pattern, else the suggestion; the turn once; refusals, then yes."""
    human = Scenario("", answers={"colou?r": "red"}, turn="And B.", refusals=["short"])
    plan = Question(3, "approval", "Approve the plan p?")
    size, color = (Question(1, "qa", title, suggested="B") for title in ("Size?", "Color?"))
    assert human.says(size, []) == "B. And B."
    assert [human.says(color, said) for said in (["B"], ["red"])] == ["red", "B"]
    assert [human.says(plan, said) for said in (["B"], ["B", "short"])] == ["short", "yes"]
