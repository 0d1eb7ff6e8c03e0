"""The pages that the loop prints into a session folder, and what counts as a child's progress."""

import json
import time
from datetime import datetime
from pathlib import Path

import pytest

from samocode.pages import compare, printed
from samocode.pages.answers import Added, Reading
from samocode.pages.compare import MAX_DEPTH, NO_PROGRESS
from samocode.pages.qa_file import QaFile
from samocode.record.history import History
from samocode.record.state import Approval, Iteration, SessionState, Worktree, WorktreeStatus

NOTHING = Reading({}, {}, (), "")


def test_a_page_is_read_and_printed_again_only_after_a_change(tmp_path: Path) -> None:
    """Without its first line, it is compared with the page that was printed last."""
    history = History(tmp_path / "_history.jsonl").load()
    history.append("asked", id=1, kind="qa", title="Which?", why="so", suggested="x")
    qa, path, said = QaFile(tmp_path, history, list[str]().append), tmp_path / "_qa.md", NOTHING
    assert qa.read() == Reading({}, {}, (1,), "") and qa.print()
    before = path.stat()
    assert qa.read() == qa.read() == said and qa.print() and path.stat() == before
    path.write_text(path.read_text().partition("\n\n")[2].rstrip() + " B\n")
    assert qa.read() == Reading({1: Added("B")}, {}, (), "") and qa.read() == said
    assert qa.untaken == set(), "no text was found after a child ran"
    path.write_text("a person saved meanwhile")
    assert qa.print() is False and path.read_text() == "a person saved meanwhile"


def test_the_page_of_an_iteration(tmp_path: Path) -> None:
    """It has every field, for a first iteration and for a later one."""
    now = datetime(2026, 1, 8, 11, 0, 7)
    first = json.loads(printed.iteration(SessionState(), now, 3600, None, None))
    assert first == {
        "iteration": 1, "phase": "investigation", "stamp": "01-08-11:00",
        "deadline": "2026-01-08T12:00:07", "entered": {"investigation": 1}, "head": None,
        "git": False, "approved_plan": None, "previous": None, "notes": [], "budget_usd": None,
    }  # fmt: skip
    state = SessionState(
        iteration=4, phase="testing", last=Iteration(4, "testing", "timeout", "too long"),
        worktree=Worktree(tmp_path, "b", "main"), approved=Approval("p.md", "d", "c"),
    )  # fmt: skip
    state.entered, state.notes = {"testing": 2}, ["a note"]
    assert json.loads(printed.iteration(state, now, 60, 2.5, "abc")) == first | {
        "iteration": 5, "phase": "testing", "deadline": "2026-01-08T11:01:07",
        "entered": {"testing": 2}, "head": "abc", "git": True, "approved_plan": "p.md",
        "previous": {"iteration": 4, "outcome": "timeout", "note": "too long"},
        "notes": ["a note"], "budget_usd": 2.5,
    }  # fmt: skip


def test_the_notebook_comes_back(tmp_path: Path) -> None:
    """An empty or unreadable one is replaced. The new one names what it replaces."""
    page = tmp_path / "_overview.md"
    printed.create_overview(tmp_path, "work")
    assert page.read_text().startswith("# work\n") and printed.restore_overview(tmp_path) is None
    page.write_text(" \n")
    assert "missing or empty" in (printed.restore_overview(tmp_path) or "")
    assert page.read_text().endswith("\n## Files\n")
    page.unlink()
    page.mkdir()
    assert "was renamed to _overview.md.kept-1" in (printed.restore_overview(tmp_path) or "")
    assert page.read_text().startswith(f"# {tmp_path.name}\n")
    assert "- _overview.md.kept-1: the notebook until now; " in page.read_text()


CODE = WorktreeStatus("abc", untracked=("new.py", "gone.py"))


@pytest.mark.parametrize("old", [True, False], ids=["changed", "new"])
@pytest.mark.parametrize(
    ("write", "moved"),
    [
        ("elsewhere", False),
        *((f"session/{name}", False) for name in sorted(NO_PROGRESS)),
        ("session/dive.md", True),
        ("session/deep/_qa.md", True),
        (f"session/{'d/' * MAX_DEPTH}x", True),
        (f"session/{'d/' * (MAX_DEPTH + 2)}x", False),
        ("tree/new.py", True),
        ("tree/ignored.py", False),
    ],
)
def test_what_is_progress(tmp_path: Path, write: str, moved: bool, old: bool) -> None:
    """A changed or new file in the session folder (up to a depth), but not one that the loop or
    every child writes, or an untracked file in the worktree."""
    folder, tree = tmp_path / "session", tmp_path / "tree"
    for path in (folder / "_iteration.json", tree / "new.py", tmp_path / write):
        path.parent.mkdir(parents=True, exist_ok=True)
        if old or path.name == "_iteration.json":
            path.write_text("old")
    time.sleep(0.05)  # longer than a tick of the file system's clock
    (folder / "_iteration.json").write_text("now")
    before = compare.mark(folder, CODE, "now")
    (tmp_path / write).write_text("new")
    assert compare.progress(folder, tree, before, CODE) is moved
    assert compare.progress(folder, None, before, CODE) is (moved and write != "tree/new.py")


def test_a_commit_or_a_tracked_change_is_progress(tmp_path: Path) -> None:
    before = compare.Mark(CODE, time.time_ns() + 10**12)
    for now, moved in (
        (CODE, False), (CODE._replace(head="def"), True), (CODE._replace(dirty={"a": "1"}), True)
    ):  # fmt: skip
        assert compare.progress(tmp_path / "not there", tmp_path, before, now) is moved


def test_a_file_written_at_the_moment_of_the_mark_is_progress(tmp_path: Path) -> None:
    (tmp_path / "dive.md").write_text("new")
    moment = (tmp_path / "dive.md").lstat().st_ctime_ns
    names = frozenset(path.name for path in tmp_path.iterdir())
    assert compare.progress(tmp_path, None, compare.Mark(None, moment, names), None)
    assert not compare.progress(tmp_path, None, compare.Mark(None, moment + 1, names), None)
    removed = compare.Mark(None, moment + 1, names | {"old.md"})
    assert compare.progress(tmp_path, None, removed, None), "a removed artifact"
