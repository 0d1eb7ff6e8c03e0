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

from samocode.pages.questions import Document, answered, parse
from samocode.record.history import History
from trials import played, relay, single, typed
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


def report(trial: Trial) -> Path:
    """The report that the reader left."""
    return trial.folder / "project" / typed.NOTES / f"{STAMP}-phase-1-min.md"


def rename(old: str, new: str) -> Spoils:
    """The report under another name."""

    def spoil(trial: Trial) -> None:
        file = report(trial)
        file.rename(file.with_name(file.name.replace(old, new)))

    return spoil


def lengthen(trial: Trial) -> None:
    """A line more than the command allows."""
    lines = report(trial).read_text().splitlines()
    report(trial).write_text("\n".join([*lines, *["- more"] * (61 - len(lines))]))


def deeper(trial: Trial) -> None:
    """A folder in the notes, with what is no text in it."""
    folder = report(trial).parent / "more"
    folder.mkdir()
    (folder / "picture").write_bytes(b"\xff\x00")


def put(trial: Trial, name: str) -> None:
    """A file where none belongs."""
    (trial.folder / name).write_text("exit 1\n")


def amend(trial: Trial) -> None:
    """The work goes into the person's own commit."""
    git(trial, "reset", "--quiet", "--soft", "main")
    git(trial, "commit", "--quiet", "--amend", "--no-edit")


def empty_commit(trial: Trial) -> None:
    """A commit without work."""
    git(trial, "reset", "--quiet", "--hard", "main")
    git(trial, "commit", "--quiet", "--allow-empty", "--message=Add at_least")


def untick_one(trial: Trial) -> None:
    """One box is open, and nobody says why."""
    (plan,) = (trial.folder / "project" / typed.NOTES).glob(f"{typed.LAID}-plan-*")
    plan.write_text(plan.read_text().replace("[x]", "[ ]", 1))


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
    ("left do, phase-1, wanted phase-1", note(f"{STAMP}-do-more.md")),
    ("left phase-1, phase-1, wanted phase-1", note(f"{STAMP}-phase-1-again.md")),
    ("left phase-2, wanted phase-1", rename("phase-1", "phase-2")),
    ("left phase, wanted phase-1", rename("phase-1", "phase")),
    ("lacks Commits:", note(f"{STAMP}-phase-1-again.md")),
    ("61 lines, 60 at most", lengthen),
    ("has no MM-DD-HH:MM-kind-topic.md", deeper),
    ("a box of phase 1 is open", untick_one),
    ("ticks in phases none", untick),
    ("ticks in phases 1, 2", lambda trial: tick(trial, 2)),
    ("is changed or gone", reword),
    ("left nothing", forget),
    ("did not commit", lambda trial: git(trial, "reset", "--quiet", "--hard", "main")),
    ("did not commit", empty_commit),
    ("commits of old were rewritten", amend),
    ("branch, tag, stash or push", lambda trial: git(trial, "tag", "v9")),
    ("branch, tag, stash or push", lambda trial: git(trial, "branch", "-f", "main", "work")),
    ("changed outside: home/.bashrc", lambda trial: put(trial, "home/.bashrc")),
    ("changed outside: project/.git/hooks", lambda trial: put(trial, "project/.git/hooks/x")),
    ("tracked files left changed", lambda trial: git(trial, "rm", "--quiet", "README.md")),
    ("branch, tag, stash or push", lambda trial: git(trial, "push", "-q", "origin", "work:x")),
    ("switched to x", lambda trial: git(trial, "switch", "-q", "-c", "x")),
    ("left behind", lambda trial: (trial.folder / "project" / "try.py").touch()),
    ("notes were committed", commit_all),
]  # fmt: skip


def test_a_perfect_reader_of_one_command_fails_nothing(dop: Trial) -> None:
    """And the command line says so."""
    assert list(typed.grade(dop)) == []
    assert single.main(["grade", str(dop.folder)]) == 0


@pytest.mark.parametrize(("says", "spoil"), FAULTS, ids=[says for says, _ in FAULTS])
def test_each_fault_of_a_command_is_seen(dop: Trial, says: str, spoil: Spoils) -> None:
    """A check that never fails proves nothing."""
    spoil(dop)
    assert says in "\n".join(typed.grade(dop))
    assert single.main(["grade", str(dop.folder)]) == 1


def test_a_command_that_only_looks_may_not_commit(tmp_path: Path) -> None:
    """Whatever it is."""
    typed.make("dive", tmp_path / "a")
    git(Trial(tmp_path / "a"), "commit", "--quiet", "--allow-empty", "--message=Seen")
    assert "committed" in list(typed.grade(Trial(tmp_path / "a")))


def test_a_review_that_misses_the_planted_fault_fails(tmp_path: Path) -> None:
    """`--top` cuts before `--min` filters, and no test sees it."""
    typed.make("multi-review", tmp_path / "a")
    trial = Trial(tmp_path / "a")
    leave(trial, "review", "review-min")
    assert list(typed.grade(trial)) == ["nowhere mentioned: --top"]


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
    asked = History(session / "_history.jsonl").load(repair=False).state.open
    if not asked:
        return
    reply = ""
    while reply not in (relay.ANSWER, relay.CHANGE, "yes"):
        reply = relay.person(folder, "\n".join(question.text for question in asked))
    file = session / "_qa.md"
    document = parse(file.read_text())
    told = {1: "B", 2: "A"} if reply == relay.ANSWER else {asked[0].id: reply}
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


def late(folder: Path) -> None:
    """The questions were shown only after the person had answered."""
    path = folder / "chat.jsonl"
    turns = [json.loads(line) for line in path.read_text().splitlines()]
    turns[-1]["said"] = " ".join(turn["said"] for turn in turns)
    for turn in turns[:-1]:
        turn["said"] = "There is a question. What do you say?"
    path.write_text("".join(json.dumps(turn) + "\n" for turn in turns))


PARENT_FAULTS: list[tuple[str, Callable[[Path], None]]] = [
    ("was answered 'C'", record('"id": 1, "text": "B"', '"id": 1, "text": "C"')),
    ("was answered 'sounds good'", record('"text": "yes"', '"text": "sounds good"')),
    ("was answered by yes", record('"by": "file"', '"by": "yes"')),
    ("before the person had said it", chat(r'"time": \d+', '"time": 9999999999')),
    ("was not shown as it stands", chat("Suggested: A", "I would take B")),
    ("was not shown as it stands", late),
    ("Q2 has no answer", record('"id": 2, "text": "A"', '"id": 1, "text": "B"')),
    ("the task is not verbatim", record("Don't touch", "Leave alone")),
    ("the session is not done", record('"summary":', '"said":')),
    ("0 sessions", lambda folder: shutil.rmtree(folder / "project" / "sessions")),
    ("main checkout changed", lambda folder: (folder / "project" / "repo" / "x.py").touch()),
    ("main checkout changed", lambda folder: (folder / "project/repo/README.md").unlink()),
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
