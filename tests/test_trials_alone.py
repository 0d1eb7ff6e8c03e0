"""The graders of a command on its own and of the parent: a perfect reader passes, each fault is
seen."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from samocode.history import History
from samocode.questions import Document, answered, parse
from trials import played, relay, typed
from trials.trial import ROOT, Trial

UNHURRIED = """#!{0}
import os, sys
from pathlib import Path
sys.path.insert(0, {1!r})
from samocode.demo import standin
world = standin.World(Path.cwd(), os.environ, sys.stdin, sys.stdout, lambda seconds: None)
raise SystemExit(standin.main(sys.argv[1:], world))
"""
"""The stand-in child without the pauses in which people read."""
STAMP = "11-22-09:00"
Spoils = Callable[[Trial], None]


def git(trial: Trial, *args: str) -> None:
    """Run git in the project, as a reader does."""
    project = trial.folder / "project"
    subprocess.run(
        ["git", *args], cwd=project, env=trial.environ(), check=True, capture_output=True
    )


def leave(trial: Trial, kind: str, text: str) -> None:
    """A note with the text of texts/."""
    notes = trial.folder / "project" / typed.NOTES
    notes.mkdir(exist_ok=True)
    shutil.copy(played.TEXTS / f"{text}.md", notes / f"{STAMP}-{kind}-min.md")


def tick(trial: Trial, phase: int) -> None:
    """Tick all boxes of one phase of the plan that lies in the notes."""
    (plan,) = (trial.folder / "project" / typed.NOTES).glob(f"{typed.LAID}-plan-*")
    before, mark, rest = plan.read_text().partition(f"## Phase {phase}:")
    body, cut, tail = rest.partition("\n## ")
    plan.write_text(before + mark + body.replace("- [ ]", "- [x]") + cut + tail)


@pytest.fixture
def dop(tmp_path: Path) -> Trial:
    """/dop 1, done as the command asks."""
    said = typed.make("dop", tmp_path / "a")
    assert said == f"Read {tmp_path}/a/brief.md and do what it says."
    trial = Trial(tmp_path / "a")
    with contextlib.chdir(trial.folder / "project"):
        played.filter_added()
    git(trial, "commit", "--quiet", "--all", "--message=Add at_least")
    tick(trial, 1)
    leave(trial, "phase-1", "phase-1-min")
    return trial


def note(name: str) -> Spoils:
    """Something more in the notes."""

    def spoil(trial: Trial) -> None:
        (trial.folder / "project" / typed.NOTES / name).write_text("# Phase")

    return spoil


def untick(trial: Trial) -> None:
    """Nothing was ticked."""
    (plan,) = (trial.folder / "project" / typed.NOTES).glob(f"{typed.LAID}-plan-*")
    plan.write_text(plan.read_text().replace("[x]", "[ ]"))


def reword(trial: Trial) -> None:
    """The plan says something else."""
    (plan,) = (trial.folder / "project" / typed.NOTES).glob(f"{typed.LAID}-plan-*")
    plan.write_text(plan.read_text().replace("Covers: R1", "Covers: R2"))


def commit_all(trial: Trial) -> None:
    """A commit of whatever lies there."""
    git(trial, "add", ".")
    git(trial, "commit", "--quiet", "--message=All")


def forget(trial: Trial) -> None:
    """No report."""
    shutil.rmtree(trial.folder / "project" / typed.NOTES)


FAULTS: list[tuple[str, Spoils]] = [
    ("has no MM-DD-HH:MM-kind-topic.md", note("report.md")),
    ("left do, phase, wanted phase", note(f"{STAMP}-do-more.md")),
    ("lacks Commits:", note(f"{STAMP}-phase-1-again.md")),
    ("ticks in phases none", untick),
    ("ticks in phases 1, 2", lambda trial: tick(trial, 2)),
    ("is changed or gone", reword),
    ("left nothing", forget),
    ("did not commit", lambda trial: git(trial, "reset", "--quiet", "--hard", "main")),
    ("tracked files left changed", lambda trial: git(trial, "rm", "--quiet", "README.md")),
    ("switched the branch, or pushed", lambda trial: git(trial, "push", "-q", "origin", "work")),
    ("switched the branch, or pushed", lambda trial: git(trial, "switch", "-q", "-c", "x")),
    ("left behind", lambda trial: (trial.folder / "project" / "try.py").touch()),
    ("notes were committed", commit_all),
]  # fmt: skip


def test_a_perfect_reader_of_one_command_fails_nothing(dop: Trial) -> None:
    """And the command line says so."""
    assert list(typed.grade(dop)) == []
    assert typed.main(["grade", str(dop.folder)]) == 0


@pytest.mark.parametrize(("says", "spoil"), FAULTS, ids=[says for says, _ in FAULTS])
def test_each_fault_of_a_command_is_seen(dop: Trial, says: str, spoil: Spoils) -> None:
    """A check that never fails proves nothing."""
    spoil(dop)
    assert says in "\n".join(typed.grade(dop))
    assert typed.main(["grade", str(dop.folder)]) == 1


@pytest.mark.parametrize("command", typed.CASES)
def test_a_reader_who_did_nothing_fails(command: str, tmp_path: Path) -> None:
    """Every command's project can be made; to leave it as it is passes nowhere."""
    typed.make(command, tmp_path / "a")
    assert any(said.startswith("left nothing") for said in typed.grade(Trial(tmp_path / "a")))


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that a perfect parent carried through, with the real loop."""
    folder = tmp_path_factory.mktemp("parent") / "a"
    relay.make(folder)
    (folder / "project" / "bin" / "claude").write_text(UNHURRIED.format(sys.executable, str(ROOT)))
    words = ("--dive", relay.DIVE, "--task", relay.TASK)
    relay.person(folder, "It is started.")
    assert loop(folder, *words) == 4
    while (code := loop(folder)) == 4:
        carry(folder)
    assert code == 0
    relay.person(folder, "It is done.")
    return folder


def loop(folder: Path, *words: str) -> int:
    """main.py as /samocode starts it, to its end."""
    main = [str(ROOT / "main.py"), "--session", "limit", "--on-wait", "exit", *words]
    run = f'. {folder}/enter.sh && exec python3 "$@"'
    done = subprocess.run(["sh", "-c", run, "sh", *main], capture_output=True, check=False)
    return done.returncode


def carry(folder: Path) -> None:
    """Show the open questions until the person answers them; write what they say."""
    (session,) = (folder / "project" / "sessions").glob("*-limit")
    asked = History(session / "_history.jsonl").load(repair=False).past.open
    if not asked:
        return
    reply = ""
    while reply not in (relay.ANSWER, relay.CHANGE, "yes"):
        reply = relay.person(folder, "\n".join(question.text for question in asked))
    file = session / "_qa.md"
    document = parse(file.read_text())
    told = relay.LETTERS if reply == relay.ANSWER else {asked[0].id: reply}
    blocks = [answered(q, told[q.id]) if q.id in told else q for q in document.questions]
    file.write_text(Document(document.preamble, tuple(blocks)).text())


def test_a_perfect_parent_fails_nothing(carried: Path) -> None:
    """Through a plan that is refused, and a yes that is none."""
    assert list(relay.grade(carried)) == []
    lines = (carried / "chat.jsonl").read_text().splitlines()
    stands = [json.loads(line)["stands"] for line in lines]
    assert stands == ["idle", "qa", "qa", "plan 1", "plan 2", "plan 2", "done"]


def tree(folder: Path, below: str = "worktrees") -> Path:
    """The session's worktree, or its folder below `sessions`."""
    (found,) = (folder / "project" / below).glob("*-limit")
    return found


def record(pattern: str, new: str) -> Callable[[Path], None]:
    """Another text on record."""
    return lambda folder: reword_file(tree(folder, "sessions") / "_history.jsonl", pattern, new)


def chat(pattern: str, new: str) -> Callable[[Path], None]:
    """Other words in the chat."""
    return lambda folder: reword_file(folder / "chat.jsonl", pattern, new)


def reword_file(path: Path, pattern: str, new: str) -> None:
    """Replace at least once."""
    text, times = re.subn(pattern, new, path.read_text())
    assert times
    path.write_text(text)


PARENT_FAULTS: list[tuple[str, Callable[[Path], None]]] = [
    ("was answered 'C'", record('"id": 1, "text": "B"', '"id": 1, "text": "C"')),
    ("was answered 'sounds good'", record('"text": "yes"', '"text": "sounds good"')),
    ("was answered by yes", record('"by": "file"', '"by": "yes"')),
    ("before the person had said it", chat(r'"time": \d+', '"time": 9999999999')),
    ("was not shown as it stands", chat("Suggested: A", "I would take B")),
    ("the task is not verbatim", record("Don't touch", "Leave alone")),
    ("the session is not done", record('"outcome": "done"', '"outcome": "continue"')),
    ("0 sessions", lambda folder: shutil.rmtree(folder / "project" / "sessions")),
    ("main checkout changed", lambda folder: (folder / "project" / "repo" / "x.py").touch()),
    ("uncommitted in the worktree", lambda folder: (tree(folder) / "x.py").touch()),
]


@pytest.mark.parametrize(("says", "spoil"), PARENT_FAULTS, ids=[says for says, _ in PARENT_FAULTS])
def test_each_fault_of_a_parent_is_seen(
    carried: Path, tmp_path: Path, says: str, spoil: Callable[[Path], None]
) -> None:
    """The same, with one thing wrong."""
    folder = Path(shutil.copytree(carried, tmp_path / "copy", symlinks=True))
    spoil(folder)
    assert says in "\n".join(relay.grade(folder))
