"""The graders of /session-start, -continue and -archive: a perfect reader passes, each fault is
seen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trials import sessions, single
from trials.trial import ROOT, Trial

Does = Callable[[Trial], None]
SEEN = "Lost: .env; not merged: Add the option --min. Nothing is done yet."
AWAY = "It lies in sessions/_archive; the branch stays."
STANDS = """Phase implementation, whatever the overview says: phase 2 is left.
Q1 and Q2, suggested A. Go on with /samocode work."""
MADE = "Session, worktrees/x and its branch stand: /samocode by-word runs it."


def run(trial: Trial, *command: str, text: str = "") -> None:
    """A command in the reader's shell."""
    script = f'. {trial.folder}/enter.sh && exec "$@"'
    subprocess.run(
        ["sh", "-c", script, "sh", *command], input=text, text=True, check=True, capture_output=True
    )


def main(trial: Trial, *words: str, text: str = "") -> None:
    """main.py as the commands call it."""
    run(trial, sys.executable, str(ROOT / "main.py"), "--max-iterations", "0", *words, text=text)


def say(words: str) -> Does:
    """Tell the person."""
    return lambda trial: run(trial, str(trial.folder / "person"), words)


def start(trial: Trial) -> None:
    """Make the session that is wanted."""
    main(trial, "--session", sessions.NEW, "--task", "-", text=sessions.TASK)


def look(trial: Trial) -> None:
    """See where it stands."""
    main(trial, "--session", "work")


def archive(trial: Trial) -> None:
    """Put session `work` away."""
    sessions_ = trial.folder / "sessions"
    run(trial, "git", "worktree", "remove", str(trial.worktree))
    (sessions_ / "_archive").mkdir()
    trial.session.rename(sessions_ / "_archive" / trial.session.name)


GOOD: dict[str, tuple[Does, ...]] = {
    "session-start": (start, say(MADE)),
    "session-start-taken": (look, say("It is taken: shall it get the wish?"), start, say(MADE)),
    "session-continue": (look, say(STANDS)),
    "session-continue-torn": (look, say(STANDS)),
    "session-archive": (look, archive, say(AWAY)),
    "session-archive-unmerged": (look, say(SEEN), archive, say(AWAY)),
    "session-archive-kept": (look, say(SEEN), say("All is as it was.")),
}


def played(folder: Path, name: str, *steps: Does) -> Trial:
    """A trial of this command in which a reader did these things."""
    sessions.make(name, folder)
    trial = Trial(folder)
    for step in steps:
        step(trial)
    return trial


@pytest.mark.parametrize("name", sessions.CASES)
def test_a_perfect_reader_fails_nothing(name: str, tmp_path: Path) -> None:
    """And one who did nothing fails everywhere."""
    trial = played(tmp_path / "a", name)
    assert list(sessions.grade(trial)) and single.main(["grade", str(trial.folder)]) == 1
    for step in GOOD[name]:
        step(trial)
    assert list(sessions.grade(trial)) == []
    assert single.main(["grade", str(trial.folder)]) == 0


def own_words(trial: Trial) -> None:
    """The task, reworded."""
    main(trial, "--session", sessions.NEW, "--task", "Add --by word")


def note(trial: Trial) -> None:
    """The task goes into the session that is there already."""
    main(trial, "--session", "work", "--task", "-", text=sessions.TASK)


def by_hand(trial: Trial) -> None:
    """Folder and task, without the loop."""
    folder = trial.folder / "sessions" / f"26-11-22-{sessions.NEW}"
    folder.mkdir()
    (folder / "_task.md").write_text(sessions.TASK)


def answer(trial: Trial) -> None:
    """In the human's place."""
    trial.answer(1, "A")


def lose(trial: Trial) -> None:
    """The branch goes too."""
    run(trial, "git", "branch", "-D", run_out(trial, "git", "branch", "--list", "*work*"))


def run_out(trial: Trial, *command: str) -> str:
    """What git prints, less its marks."""
    project = trial.folder / "project"
    said = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    return said.stdout.strip(" +*\n")


def thin(trial: Trial) -> None:
    """A file less in the archive."""
    (folder,) = (trial.folder / "sessions" / "_archive").iterdir()
    (folder / "_task.md").unlink()


def forced(trial: Trial) -> None:
    """The worktree's folder alone is removed."""
    shutil.rmtree(trial.worktree)
    (trial.folder / "sessions" / "_archive").mkdir()
    trial.session.rename(trial.folder / "sessions" / "_archive" / trial.session.name)


FAULTS: list[tuple[str, str, tuple[Does, ...]]] = [
    ("not said at all: worktrees", "session-start", (start,)),
    ("the task is not verbatim", "session-start", (own_words, say(MADE))),
    ("there is only: file", "session-start", (by_hand, say(MADE))),
    ("changed: file sessions", "session-start-taken", (note, say(MADE))),
    ("there is only: nothing", "session-start-taken", (note, say(MADE))),
    ("changed: file sessions", "session-continue", (look, answer, say(STANDS))),
    ("20 at most", "session-continue", (look, say(STANDS + "\nmore" * 20))),
    ("changed: ref", "session-continue", (lambda t: run(t, "git", "tag", "x"), say(STANDS))),
    ("said at all: implementation", "session-continue-torn", (look, say("Phase done."))),
    ("git still knows", "session-archive", (forced, say(AWAY))),
    ("changed: ref", "session-archive", (archive, lose, say(AWAY))),
    ("changed: file sessions/_archive", "session-archive", (archive, thin, say(AWAY))),
    ("worktree is still there", "session-archive", (say(AWAY),)),
    ("not said in time", "session-archive-unmerged", (archive, say(SEEN), say(AWAY))),
    ("changes more", "session-archive-kept", (say(SEEN), archive, say(AWAY))),
]


@pytest.mark.parametrize(
    ("says", "name", "steps"), FAULTS, ids=[f"{name} {says}" for says, name, _ in FAULTS]
)
def test_each_fault_is_seen(says: str, name: str, steps: tuple[Does, ...], tmp_path: Path) -> None:
    """A check that never fails proves nothing."""
    assert says in "\n".join(sessions.grade(played(tmp_path / "a", name, *steps)))
