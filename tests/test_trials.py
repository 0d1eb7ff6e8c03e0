"""The bridge and the graders of trials/: the real loop, a scripted reader, and what a grader must
see."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from samocode.decide.signal import Signal
from samocode.pages.overview import SKELETON
from samocode.pages.questions import parse
from tests.harness import wait_for
from tests.prompts import COMMANDS, fences, table
from trials import drive, gates, grade, rules, scenario, states
from trials.reading import played
from trials.trial import ROOT, Trial

READER = """
import json, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from trials import played
session = Path({session!r})
child = played.Child(session, json.loads((session / "_iteration.json").read_text()))
child.stamp = child.iteration["stamp"]
"""
BUILDS = """
(session / "_overview.md").write_text({skeleton!r})
child.phase_2()
"""
ASKS = """
with (session / "_qa.md").open("a") as file:
    file.write("\\n## Q3: Which one, A or B?\\nWhy: you said A or B\\n- A) an error\\n- B) none\\n")
    file.write("Suggested: A\\nAnswer:\\n")
child.end("asked Q3", "fold the answers in", "", status="waiting", **{"for": "qa_answers"})
"""


def started(name: str, folder: Path) -> Trial:
    """A trial whose loop runs."""
    assert drive.start([name, str(folder), "--run"]) == 0
    return Trial(folder)


def reads(trial: Trial, script: str) -> Path:
    """Play a reader who runs `script`; the hand-over's folder."""
    wait_for(trial.handed_over, 40)
    over = trial.handed_over()
    assert over is not None
    told = READER.format(root=str(ROOT), session=str(trial.session))
    file = trial.folder / "reader.py"
    file.write_text(told + script)
    shell(over, f"{sys.executable} {file}")
    return over


def shell(over: Path, command: str) -> str:
    """Run a command as the brief tells the reader to."""
    line = f". {over}/enter.sh && {command}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ends(over: Path) -> tuple[int, str]:
    """What `trials/done` says to the reader."""
    command = [sys.executable, str(ROOT / "trials" / "done"), str(over)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout


def end(trial: Trial) -> None:
    """No loop of a failed test is left running."""
    if trial.running:
        subprocess.run(["kill", (trial.folder / "loop.pid").read_text()], check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A trial with one iteration that a perfect reader played: plan phase 2."""
    trial = started("damaged-overview", tmp_path_factory.mktemp("built") / "a")
    over = reads(trial, BUILDS.format(skeleton=SKELETON.format(name="x")))
    assert ends(over)[0] == 0
    wait_for(lambda: not trial.running, 40)
    yield trial
    end(trial)


@pytest.fixture
def copy(built: Trial, tmp_path: Path) -> Trial:
    """The same trial, to be spoiled; git still knows the first one's worktree."""
    return Trial(shutil.copytree(built.folder, tmp_path / "copy", symlinks=True))


def failures(trial: Trial) -> dict[str, list[str]]:
    """What the graders say of the trial's only iteration."""
    (it,) = played(trial, scenario.load(trial.facts["scenario"]))
    return grade.grade(it).failures


def test_a_perfect_reader_fails_nothing(built: Trial) -> None:
    """Every check passes, and the trial knows that it is over."""
    assert failures(built) == {}
    assert built.over
    assert grade.main([str(built.folder)]) == 0


def test_the_reader_is_sent_back_and_the_human_answers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The Stop hook's words reach the reader; the scripted answer goes on record as the human's."""
    trial = started("half-answered", tmp_path / "b")
    over = reads(trial, "")
    try:
        assert ends(over) == (2, "No _signal.json: write it as your very last act.\n")
        over = reads(trial, ASKS)
        assert ends(over)[0] == 0
        wait_for(lambda: not trial.running, 40)
        assert [q.id for q in trial.open_questions()] == [3]
        assert failures(trial).keys() == {"valid signal at the first try"}
        capfd.readouterr()
        assert drive.next_step([str(trial.folder)]) == 0
        assert "TRIAL OVER" in capfd.readouterr().out
    finally:
        end(trial)
    assert ends(over) == (3, "This iteration is over already (its time is up). End now.\n")


def after(trial: Trial, name: str) -> Path:
    """A file of the session as the child left it; its one artifact for `*`."""
    folder = trial.mail / "006" / "after"
    (found,) = folder.glob("*-phase-2-*.md") if name == "*" else [folder / name]
    return found


def edit(name: str, old: str, new: str) -> Callable[[Trial], None]:
    """Change a text in a file of the session."""

    def spoil(trial: Trial) -> None:
        text = after(trial, name).read_text()
        assert old in text
        after(trial, name).write_text(text.replace(old, new))

    return spoil


def add(name: str, text: str) -> Callable[[Trial], None]:
    """Add a text at a file's end."""

    def spoil(trial: Trial) -> None:
        with after(trial, name).open("a") as file:
            file.write(text)

    return spoil


def signal(**message: str) -> Callable[[Trial], None]:
    """Leave another signal."""
    return lambda trial: void(after(trial, "_signal.json").write_text(json.dumps(message)))


def fact(place: str, key: str, value: object) -> Callable[[Trial], None]:
    """Another fact in what the snapshot saw at the end."""

    def spoil(trial: Trial) -> None:
        file = trial.mail / "006" / "after.json"
        facts: dict[str, Any] = json.loads(file.read_text())
        where = facts[place] if place else facts
        where[key] = value
        file.write_text(json.dumps(facts))

    return spoil


def second_artifact(trial: Trial) -> None:
    """A test report beside the phase's."""
    name = after(trial, "*").name
    after(trial, name.replace("phase-2", "test")).write_text("R1\n")
    add("_overview.md", name.replace("phase-2", "test"))(trial)


def renamed(trial: Trial) -> None:
    """An artifact without a stamp."""
    file = after(trial, "*")
    file.rename(file.with_name("report.md"))


def tick_elsewhere(trial: Trial) -> None:
    """A box ticked in a phase that the approved plan has done: taken back."""
    (plan,) = (trial.mail / "006" / "after").glob("*-plan-*.md")
    plan.write_text(plan.read_text().replace("- [x]", "- [ ]", 1))


def plan_text(trial: Trial) -> None:
    """The approved plan says something else."""
    (plan,) = (trial.mail / "006" / "after").glob("*-plan-*.md")
    plan.write_text(plan.read_text().replace("Done when:", "Done if:", 1))


def nobody_answers(trial: Trial) -> None:
    """An answer on record that the driver did not write."""
    with (trial.session / "_history.jsonl").open("a") as file:
        line = {"t": "", "event": "answer", "id": 9, "text": "A", "by": "yes"}
        file.write(json.dumps(line) + "\n")


def sent_back(trial: Trial) -> None:
    """The hook said something."""
    (trial.mail / "006" / "hook-1.txt").write_text("No signal.")


def void(_: object) -> None:
    """For lambdas."""


SPOILED: list[tuple[str, Callable[[Trial], None]]] = [
    ("valid signal at the first try", sent_back),
    ("legal ending", signal(status="continue", phase="quality")),
    ("right next phase", signal(status="continue", phase="implementation")),
    ("exactly one action", second_artifact),
    ("artifact's name", renamed),
    ("artifact's form", edit("*", "## Proof", "## Evidence")),
    ("artifact's length", add("*", "- more\n" * 60)),
    ("questions' form", add("_qa.md", "\n## Q9: What now?\nSuggested: A\nAnswer:\n")),
    ("overview", edit("_overview.md", "Phase: testing", "Phase: implementation")),
    ("overview", add("_overview.md", "x" * 9000)),
    ("answers untouched", edit("_qa.md", "Answer: yes", "Answer: no")),
    ("answers untouched", add("_qa.md", "\n## Q9: So?\nWhy: x\nAnswer: A\n")),
    ("only the human answers", nobody_answers),
    ("others' files untouched", add("_task.md", "and more")),
    ("approved plan kept", plan_text),
    ("one plan phase", tick_elsewhere),
    ("committed before the signal", fact("code", "tracked", [" M tally.py"])),
    ("committed before the signal", fact("code", "untracked", ["scratch.py"])),
    ("edits only in its place", fact("around", "home/.bashrc", "0" * 64)),
    ("edits only in its place", fact("", "origin", [])),
    ("edits only in its place", fact("main", "head", "0" * 40)),
    ("edits only in its place", fact("code", "branch", "main")),
    ("scenario's own wishes", signal(status="blocked", reason="no idea")),
]


@pytest.mark.parametrize(("check", "spoil"), SPOILED)
def test_each_fault_is_seen(copy: Trial, check: str, spoil: Callable[[Trial], None]) -> None:
    """A check that never fails proves nothing."""
    spoil(copy)
    assert check in failures(copy)


def test_an_iteration_that_the_driver_broke_off_is_not_graded(copy: Trial) -> None:
    """The reader did not end it; what no iteration may do it may not do either."""
    file = copy.session / "_history.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[-2 if lines[-1]["event"] == "stop" else -1]["outcome"] = "stopped"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (copy.mail / "006" / "after" / "_signal.json").unlink()
    assert failures(copy) == {}
    assert grade.main([str(copy.folder)]) == 1, "nothing else was played"
    fact("", "origin", [])(copy)
    assert list(failures(copy)) == ["edits only in its place"]


def told(trial: Trial, **other: object) -> None:
    """Another `_iteration.json`."""
    for kind in ("before", "after"):
        file = trial.mail / "006" / kind / "_iteration.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | other))


def test_done_early_is_for_research_alone(copy: Trial) -> None:
    """A scenario that expects it, or no git."""
    signal(status="done", summary="that was quick")(copy)
    told(copy, phase="requirements")
    assert "legal ending" in failures(copy)
    wants = scenario.load("damaged-overview")
    (it,) = played(copy, replace(wants, expect=("done",)))
    assert "legal ending" not in grade.grade(it).failures
    told(copy, git=False)
    assert "legal ending" not in failures(copy)


def test_what_a_scenario_wants_left_is_asked_for(built: Trial) -> None:
    """The kinds of artifacts that scenario.toml names."""
    wants = replace(scenario.load("damaged-overview"), leaves=("phase", "comparison"))
    (it,) = played(built, wants)
    assert grade.grade(it).failures == {"scenario's own wishes": ["left no comparison"]}


@pytest.mark.parametrize("state", ["leftovers", "unblocked"])
def test_the_sessions_own_leftovers_are_to_be_committed(copy: Trial, state: str) -> None:
    """What lay there uncommitted at the beginning and still does."""
    for kind in ("before", "after"):
        file = copy.mail / "006" / f"{kind}.json"
        facts = json.loads(file.read_text())
        facts["code"]["tracked"] = [" M tally.py"]
        facts["code"]["hashes"]["tally.py"] = "0" * 64
        file.write_text(json.dumps(facts))
    assert "committed before the signal" not in failures(copy)
    (it,) = played(copy, replace(scenario.load("damaged-overview"), state=state))
    assert "committed before the signal" in grade.grade(it).failures


def test_code_before_approval_is_seen(copy: Trial) -> None:
    """The same commit without an approved plan."""
    told(copy, approved_plan=None)
    assert "no code before approval" in failures(copy)


def test_a_commit_past_the_hook_is_seen(built: Trial) -> None:
    """A commit where the hook lets nothing pass."""
    wants = replace(scenario.load("damaged-overview"), state="hook_broken")
    (it,) = played(built, wants)
    assert "commit hook obeyed" in grade.grade(it).failures
    (it,) = played(built, replace(wants, state="hook_docstring"))
    assert grade.grade(it).failures["commit hook obeyed"] == [
        "test_min was committed past the hook",
        "test_min_below_one was committed past the hook",
    ]


def test_weakened_tests_are_seen() -> None:
    """Taken away or switched off; moved is neither, and other code may do as it likes."""
    diff = """diff --git a/test_a.py b/test_a.py
--- a/test_a.py
+++ b/test_a.py
-    assert f(1) == 2
-    assert f(2) == 3
+    @pytest.mark.skip
+        assert f(2) == 3
diff --git a/a.py b/a.py
-    assert x
"""
    old = "    assert f(1) == 2\n    assert f(2) == 3\n"
    assert list(gates.weakened(diff, lambda name: {"test_a.py": old}[name])) == [
        "gone from a test: assert f(1) == 2",
        "switched off: @pytest.mark.skip",
    ]


def test_the_sessions_own_test_may_be_sharpened_but_not_thinned() -> None:
    """An assertion that was not there before the session, replaced or taken away."""
    head = "diff --git a/test_a.py b/test_a.py\n"
    sharper = head + "-    assert levels == 1000\n+    assert levels == 50000\n"
    assert list(gates.weakened(sharper, lambda name: "")) == []
    assert list(gates.weakened(sharper, lambda name: "  assert levels == 1000\n")) != []
    assert list(gates.weakened(head + "-    assert levels == 1000\n", lambda name: "")) != []


def test_hidden_tests_judge_the_commit(copy: Trial, tmp_path: Path) -> None:
    """They run on what the finished session committed, with the project's own tests."""
    own = tmp_path / "wants"
    (own / "hidden_tests").mkdir(parents=True)
    test = own / "hidden_tests" / "test_hidden.py"
    test.write_text("import tally\n\ndef test_a():\n    assert tally.at_least({'a': 1}, 2) == {}\n")
    wants = scenario.Scenario(str(own), about="", task="")
    assert grade.hidden(copy, wants) is None, "the session is not done"
    file = copy.session / "_history.jsonl"
    file.write_text(file.read_text().replace('"outcome": "continue"', '"outcome": "done"'))
    good = grade.hidden(copy, wants)
    assert good is not None
    assert good.passed, good.words
    for command, passed in (("echo fine", True), ("echo bad; exit 1", False)):
        said = grade.hidden(copy, dataclasses.replace(wants, own=command))
        assert (
            said and said.passed == passed and said.words.endswith(command.split()[1].strip(";"))
        ), said
    test.write_text("def test_a():\n    raise ValueError\n")
    bad = grade.hidden(copy, wants)
    assert bad is not None
    assert not bad.passed


FORMS = [("dive", "dive"), ("requirements", "task"), ("plan", "create-plan"), ("do", "do"),
    ("phase", "dop"), ("phase of dop2", "dop2"), ("review", "multi-review"),
    ("cleanup", "cleanup")]  # fmt: skip


@pytest.mark.parametrize("command", ["do2", "dop2"])
@pytest.mark.parametrize("kind", ["solution", "comparison"])
def test_the_graders_measure_as_the_commands_say(kind: str, command: str) -> None:
    """The lengths of what two commands describe in words."""
    assert f"{rules.LINES[kind]} lines at most" in COMMANDS[command]


@pytest.mark.parametrize(("kind", "command"), FORMS)
def test_the_graders_ask_for_the_commands_form(kind: str, command: str) -> None:
    """A slot or a length that changes in a command changes here too."""
    text = COMMANDS[command]
    (form,) = [b for b in fences(text) if b.casefold().startswith(rules.SLOTS[kind][0].casefold())]
    assert [slot for slot in rules.SLOTS[kind] if slot.casefold() not in form.casefold()] == []
    assert f"{rules.LINES[kind.split()[0]]} lines at most" in text


def test_the_graders_know_the_phase_table() -> None:
    """The endings that they call legal are workflow.md's."""
    for row in table():
        ends = {f"continue {phase}" for phase in row.continues()}
        ends |= {f"waiting {wait}" for wait in row.waits()}
        ends |= {s for s in ("done", "blocked") if row.allows(Signal(s))}
        assert ends == rules.LEGAL[row.phase], row.phase


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_can_be_read(name: str) -> None:
    """Its fields are known, its state exists, its hidden tests compile."""
    found = scenario.load(name)
    assert found.about
    assert found.task.strip()
    assert not found.state or found.state in states.STATES
    assert found.iterations or found.hidden.is_dir(), "a whole session needs hidden tests"
    for file in found.hidden.glob("*.py"):
        compile(file.read_text(), str(file), "exec")


def test_what_the_scripted_human_says() -> None:
    """A topic's answer, else the suggestion; the turn once; refusals before the yes."""
    human = scenario.Scenario(
        "x", about="", task="", answers={"colou?r": "red"}, turn="And now B.", refusals=("shorter",)
    )
    text = "## Q1: Which color?\nSuggested: A, it fits\nAnswer:\n## Q2: How long?\n"
    text += "Suggested: B, it fits\nAnswer:\n## Q3: Approve the plan p.md?\nAnswer:\n"
    colour, length, plan = parse(text).questions
    assert human.says(colour, first=False, refused=0) == "red"
    assert human.says(length, first=True, refused=0) == "B. And now B."
    assert human.says(length, first=False, refused=0) == "B"
    assert [human.says(plan, first=False, refused=n) for n in (0, 1)] == ["shorter", "yes"]
