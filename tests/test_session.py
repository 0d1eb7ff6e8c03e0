"""The session folder: found, made, locked, and put right."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import pytest

from samocode import lock, sessions, task
from samocode.decide.context import changed_code, signal_context
from samocode.decide.facts import Limits
from samocode.git.repository import Repository
from samocode.pages import compare, overview
from samocode.pages.qa_file import QaFile
from samocode.record import files
from samocode.record.exits import UserError
from samocode.record.history import FILE as HISTORY
from samocode.record.state import Begun
from samocode.session import Session, open_session
from samocode.settings.project import Project as Settings
from samocode.task import Texts
from tests.conftest import around, git
from tests.harness import ROOT, Project, end, wait_for
from tests.place import changed, project_of
from tests.test_files import spoil


@pytest.fixture
def place(repo: Path) -> Settings:
    """What a .samocode says."""
    return project_of(repo)


@pytest.fixture
def session(place: Settings) -> Session:
    """A new session, open."""
    folder = sessions.create(place, "work", {"task": "the täsk"}, around(place.main_repo))
    return open_session(place.main_repo, folder, around(place.main_repo))


def make(folder: Path, whole: bool = True) -> Path:
    """A folder that looks like a session."""
    folder.mkdir(parents=True)
    if whole:
        (folder / "_history.jsonl").touch()
    return folder


# Names


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "x" * 64, "26-01-08-work", "9"])
def test_good_names(tmp_path: Path, name: str) -> None:
    assert sessions.find(tmp_path, name) is None


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "../a", "a..b", "-a", "_a", ".a", "a.", "a.lock", "x" * 65, "a b", "a\n",
        "ä", "a\0b", "a~1",
     "a:b", "a@{b", "a\\b"],
)  # fmt: skip
def test_bad_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="use up to 64 letters"):
        sessions.find(tmp_path, name)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "x" * 64, "9"])
def test_every_good_name_is_a_branch_for_git(tmp_path: Path, name: str) -> None:
    assert git("check-ref-format", "--branch", f"samocode/26-01-08-{name}", cwd=tmp_path)


# Find


def test_find(tmp_path: Path) -> None:
    old, new = make(tmp_path / "25-12-31-Work"), make(tmp_path / "26-01-08-work")
    exact = make(tmp_path / "work-2")
    make(tmp_path / ".new-26-02-01-work-77")
    make(tmp_path / "_archive" / "26-03-01-work")
    (tmp_path / "26-04-01-work").write_text("a file is no folder")
    assert sessions.find(tmp_path, "work") == new
    assert sessions.find(tmp_path, "WORK") == new
    assert sessions.find(tmp_path, "25-12-31-Work") == old
    assert sessions.find(tmp_path, "work-2") == exact
    assert sessions.find(tmp_path, "wor") is None
    assert sessions.find(tmp_path / "nowhere", "work") is None


@pytest.mark.parametrize("name", ["26-01-08-mine", "mine"])
def test_a_folder_that_is_no_session_is_never_taken(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path / "26-01-08-mine", whole=False)
    with pytest.raises(UserError, match="is no session"):
        sessions.find(tmp_path, name)
    assert list(folder.iterdir()) == []


def test_nearest(tmp_path: Path) -> None:
    make(tmp_path / "26-01-08-jwt-auth")
    make(tmp_path / "_archive" / "26-01-07-jwt-login")
    assert "26-01-08-jwt-auth" in sessions.nearest(tmp_path, "jwt-aut")
    assert "_archive/26-01-07-jwt-login" in sessions.nearest(tmp_path, "jwt-logn")
    assert sessions.nearest(tmp_path, "zzz") == "" == sessions.nearest(tmp_path / "no", "x")


# Create


def test_create(place: Settings, session: Session) -> None:
    assert re.fullmatch(r"\d\d-\d\d-\d\d-work", session.name)
    names = {path.name for path in session.folder.iterdir()}
    assert names == {"_task.md", "_overview.md", "_history.jsonl", "_logs"}
    assert session.folder.stat().st_mode & 0o777 == 0o700
    assert "the täsk" in (session.folder / "_task.md").read_text()
    assert "Phase: investigation" in (session.folder / "_overview.md").read_text()
    tree = session.state.worktree
    assert tree and tree.branch == f"samocode/{session.name}"
    assert not place.worktrees.exists(), "the worktree is made under the lock"


@pytest.mark.parametrize("trouble", ["no commit", "no identity", "path", "branch", "base", "sub"])
def test_create_is_all_or_nothing(
    tmp_path: Path, place: Settings, session: Session, trouble: str
) -> None:
    shutil.rmtree(session.folder)
    name, repo = session.name, place.main_repo
    environ = dict(os.environ)
    if trouble == "no commit":
        shutil.rmtree(repo / ".git")
        git("init", "-q", cwd=repo)
    elif trouble == "no identity":
        (tmp_path / "nobody").write_text("[user]\n\tuseConfigOnly = true\n")
        environ["GIT_CONFIG_GLOBAL"] = str(tmp_path / "nobody")
    elif trouble == "path":
        (place.worktrees / name).mkdir(parents=True)
    elif trouble == "branch":
        git("branch", f"samocode/{name}", cwd=repo)
    elif trouble == "sub":
        (repo / "sub").mkdir()
        place = changed(place, main_repo=repo / "sub")
    else:
        place = changed(place, base_branch="nope")
    with pytest.raises(UserError) as raised:
        sessions.create(place, "work", {"task": "t"}, Repository.find(place.main_repo, environ))
    assert raised.value.exit_code == 2
    assert list(place.sessions.iterdir()) == []
    assert git("worktree", "list", cwd=repo).count("\n") == 0


def test_a_folder_that_is_committed_after_all(place: Settings) -> None:
    """The branch is cut from the base only when MAIN_REPO's folder is there."""
    sub = changed(place, main_repo=place.main_repo / "sub dir")
    sub.main_repo.mkdir()
    (sub.main_repo / "b.py").touch()
    with pytest.raises(UserError, match="sub dir is not in main, where"):
        sessions.create(sub, "work", {"task": "t"}, around(sub.main_repo))
    git("add", ".", cwd=place.main_repo)
    git("commit", "-qm", "sub", cwd=place.main_repo)
    folder = sessions.create(sub, "work", {"task": "t"}, around(sub.main_repo))
    found = open_session(sub.main_repo, folder, around(sub.main_repo))
    found.ensure_worktree()
    assert (found.cwd / "b.py").is_file()


def test_a_failed_create_leaves_no_session(place: Settings) -> None:
    """Killed or failed before the rename: the next start finds nothing and makes it anew."""
    with pytest.raises(AttributeError):
        sessions.create(place, "work", cast("Any", {"task": 7}), around(place.main_repo))
    assert sessions.find(place.sessions, "work") is None
    assert sessions.create(place, "work", {"task": "t"}, around(place.main_repo)).is_dir()


def test_without_git_it_is_research(tmp_path: Path, place: Settings) -> None:
    (tmp_path / "plain").mkdir()
    place = changed(place, main_repo=tmp_path / "plain")
    folder = sessions.create(place, "r", {"dive": "d"}, around(place.main_repo))
    found = open_session(place.main_repo, folder, around(place.main_repo))
    assert (found.state.worktree, found.checkout, found.status()) == (None, None, None)
    assert changed_code(found.state, None, os.environ) == ()
    assert found.ensure_worktree() is None and found.cwd == tmp_path / "plain"
    assert not signal_context(found.folder, found.state, None).git


def test_the_record_wins_over_changed_settings(
    tmp_path: Path, place: Settings, session: Session
) -> None:
    elsewhere = changed(place, worktrees=tmp_path / "elsewhere", base_branch="nope")
    repository = around(elsewhere.main_repo)
    found = sessions.find_or_create(elsewhere, "work", {"task": "the täsk"}, repository)
    assert found == (session.folder, False)
    again = open_session(elsewhere.main_repo, session.folder, repository)
    assert again.state.worktree == session.state.worktree
    assert "on new branch" in (again.ensure_worktree() or "")


def test_a_repository_that_is_gone(tmp_path: Path, session: Session) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(UserError, match="is in none now"):
        open_session(tmp_path / "plain", session.folder, None).ensure_worktree()


# Lock


def lock_file(session: Session) -> Path:
    """Where the lock of a session is."""
    place = session.folder.parent / ".locks"
    place.mkdir(exist_ok=True)
    return place / session.name


def test_one_at_a_time(session: Session) -> None:
    """The kernel holds it: what the file says is for people, and a stale one is no lock."""
    lock_file(session).write_text('{"pid": 1, "host": "x", "since": "y"}\n')
    assert not lock.is_running(session.folder)
    with lock.locked(session.folder):
        assert lock.is_running(session.folder)
        held = json.loads(lock_file(session).read_text())
        assert held["pid"] == os.getpid()
        with pytest.raises(UserError) as raised, lock.locked(session.folder):
            pass
        assert f"is running already: pid {os.getpid()} on {held['host']} since" in str(raised.value)
    assert not lock.is_running(session.folder)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'"x"'])
def test_a_lock_file_that_says_nothing(session: Session, data: bytes) -> None:
    with lock.locked(session.folder):
        lock_file(session).write_bytes(data)
        assert "does not say by whom" in lock.holder(session.folder)


HOLD = """
import sys, time
from pathlib import Path
from samocode import lock
with lock.locked(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(60)
"""


def test_the_lock_goes_with_its_process(session: Session) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(session.folder)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdout.readline()
    assert lock.is_running(session.folder)
    holder.kill()
    holder.communicate()
    with lock.locked(session.folder):
        pass


# The human's words


def test_every_text_on_record_stands_in_the_task_file(session: Session) -> None:
    """Killed between the two writes: the record has it, the file gets it at the next start."""
    file = session.folder / "_task.md"
    before = file.read_bytes()
    take(session, {"task": "a second\ntask"})
    whole = file.read_bytes()
    assert whole.startswith(before) and b"a second\ntask" in whole[len(before) :]
    file.write_bytes(before)
    again = open_session(session.main_repo, session.folder, around(session.main_repo))
    take(again, {})
    assert file.read_bytes() == whole
    file.unlink()
    take(again, {})
    assert b"the t\xc3\xa4sk" in file.read_bytes() and b"a second" in file.read_bytes()


def test_the_same_words_are_no_news(session: Session) -> None:
    """They are the command of old, given again; a dive in the task's words is a dive."""
    before = (session.folder / "_task.md").read_bytes()
    assert take(session, {"task": " the täsk\n"}) == ("task",)
    assert (session.folder / "_task.md").read_bytes() == before
    assert take(session, {"task": "the täsk", "dive": "the täsk"}) == ("task",)
    assert kinds(session) == ["task", "dive"]
    worked(session)
    assert take(session, {"task": "yes"}) == ()
    worked(session)
    assert take(session, {"task": "yes"}) == ("task",)
    assert take(session, {"dive": "the täsk"}) == ("dive",)


def test_a_decision_may_be_the_same_as_the_last_one(session: Session) -> None:
    """Blocked twice, and twice "yes, go on" is the answer; the task itself decides nothing."""
    worked(session)
    for _ in range(2):
        session.history.append("stop", exit=3, why="which?")
        assert take(session, {"task": "the täsk"}) == ("task",)
        assert take(session, {"task": "yes, go on"}) == ()
        session.history.append("start")
        assert take(session, {"task": "yes, go on"}) == ("task",)
        assert "end of _task.md" in session.state.notes[-1]
        worked(session)
    assert kinds(session) == ["task", "note", "note"]


def test_a_note_only_once_work_began(session: Session) -> None:
    take(session, {"dive": "before"})
    worked(session)
    take(session, {"task": "after"})
    assert kinds(session) == ["task", "dive", "note"]


def test_both_texts_open_a_new_round(session: Session) -> None:
    """A dive and a task: the second one is no note to the first."""
    worked(session, outcome="done", summary="s")
    take(session, {"dive": "look", "task": "build"})
    assert kinds(session) == ["task", "dive", "task"] and session.state.round == 2


def test_what_the_next_child_is_told_of_new_words(session: Session) -> None:
    """Nothing of the first ones: the task itself is what it reads. The line says it, and which
    round it opens."""
    added, opened = (
        "The human added a note: read the end of _task.md.",
        "The human opened a new round: read the end of _task.md.",
    )
    take(session, {"dive": "before"})
    assert session.state.notes == []
    worked(session)
    take(session, {"task": "a note"})
    assert (session.state.notes, session.state.round) == ([added], 1)
    worked(session, outcome="done", summary="")
    take(session, {"task": "more", "dive": "and look"})
    assert (session.state.notes, session.state.round) == ([opened, added], 2)
    lines = [json.loads(line) for line in session.history.path.read_text().splitlines()]
    rounds = [line.get("round") for line in lines if line["event"] == "task"]
    assert rounds == [None, None, None, 2, None]


def take(session: Session, texts: Texts) -> tuple[str, ...]:
    """Take the words of one start; the kinds of those that were on record already, which the person
    is told once work began."""
    new, said = task.new(session, texts), list[str]()
    task.take(session, texts, said.append)
    known = tuple(kind for kind in texts if kind not in new)
    told = [f"The words of --{' and --'.join(known)} are in _task.md already: not added again."]
    assert said == (told if known and session.state.iteration else [])
    return known


def kinds(session: Session) -> list[str]:
    return [kind for _, kind, _ in session.state.texts]


def worked(session: Session, outcome: str = "continue", **more: object) -> None:
    """One iteration more is on record."""
    n = session.state.iteration + 1
    phase = "investigation"
    session.history.append(
        "iteration", n=n, phase=phase, outcome=outcome, next=phase, heard=True, **more
    )


# What a child must not change


def began(session: Session) -> compare.Mark:
    """An iteration begins: its page is printed."""
    time.sleep(0.01)  # clocks of file systems tick
    (session.folder / "_iteration.json").write_text("x")
    return compare.mark(session.folder / "_iteration.json", session.status())


def moved(session: Session, before: compare.Mark) -> bool:
    """Whether anything was done since."""
    return compare.progress(session.folder, session.top, before, session.status())


@pytest.mark.parametrize("name", ["_history.jsonl", "_task.md", "_iteration.json"])
@pytest.mark.parametrize("how", ["file", "appended", "missing", "link", "folder", "fifo"])
def test_put_back(session: Session, name: str, how: str) -> None:
    """Printed again, the other version kept beside, and said; a changed history is told apart."""
    path = session.folder / name
    session.ensure_worktree()
    _, before = session.begin(60, LIMITS)
    data = path.read_bytes()
    if how == "appended":
        path.write_bytes(data + b"{}\n")
    else:
        spoil(path, how)
    said: list[str] = []
    assert session.put_back(before.page, said.append) == (name == "_history.jsonl")
    assert [name in line for line in said] == [True] * (name != "_history.jsonl")
    assert path.read_bytes() == data and not path.is_symlink()
    kept = sorted(session.folder.glob(f"{name}.kept-*"))
    assert len(kept) == (how != "missing")
    if how == "file":
        assert kept[0].read_text() == "words"
    assert not session.put_back(before.page, said.append) and len(said) < 2


def test_what_is_progress(session: Session) -> None:
    """Artifacts and code are; the notebook, the signal and the loop's own files, `_qa.md` among
    them, are not."""
    session.ensure_worktree()
    before = began(session)
    for name in (
        "_overview.md",
        "_signal.json",
        "_iteration.json",
        "_qa.md",
        "_logs/001.jsonl",
    ):
        (session.folder / name).write_text("x")
        assert not moved(session, before), name
    changes = [
        session.folder / "dive.md", session.cwd / "a.py", session.cwd / "new.txt",
        session.folder / "odd \udcff name", session.folder / "deep" / "deeper" / "x",
    ]  # fmt: skip
    for path in changes:
        path.parent.mkdir(parents=True, exist_ok=True)
        for words in ("new", "old"):
            before = began(session)
            assert not moved(session, before)
            path.write_text(words)
            assert moved(session, before), path.name
    before = began(session)
    git("commit", "-qam", "x", cwd=session.cwd)
    assert moved(session, before)
    (session.folder / "deep").chmod(0)
    assert not moved(session, began(session))


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "1 GB", "no UTF-8", "missing"])
def test_questions_that_cannot_be_read_are_kept_and_printed_again(
    session: Session, kind: str
) -> None:
    """It says nothing then, and no answer is lost by it."""
    worked(session, outcome="waiting", asked=[{"id": 1, "kind": "qa", "title": "Which?"}])
    session.history.append("answer", id=1, text="mine", by="file")
    said: list[str] = []
    page, path = QaFile(session.folder, session.history, said.append), session.folder / "_qa.md"
    assert page.print()
    printed = path.read_bytes()
    if kind == "no UTF-8":
        path.write_bytes(printed + b"\xff")
    else:
        spoil(path, kind)
    reading = page.read()
    assert reading.gone == (1,) and not (reading.added or reading.struck)
    assert len(said) == len(list(session.folder.glob("_qa.md.kept-*"))) == (kind != "missing")
    assert all("_qa.md.kept-1" in line for line in said)
    assert page.print() and path.read_bytes() == printed and not path.is_symlink()
    reading = page.read()
    assert not (reading.added or reading.struck or reading.gone) and len(said) < 2


@pytest.mark.parametrize("kind", ["missing", "empty", "blank", "folder", "link", "file", "2 MB"])
def test_the_notebook_comes_back(session: Session, kind: str) -> None:
    path = session.folder / "_overview.md"
    spoil(path, kind)
    said = overview.restore(session.folder)
    assert (said is None) is (kind == "file")
    assert path.read_text().startswith("words" if kind == "file" else f"# {session.name}")
    kept = kind in ("folder", "link", "2 MB")
    assert ("_overview.md.kept-1" in (said or "")) is kept
    assert ("- _overview.md.kept-1: the notebook until now" in path.read_text()) is kept


# A killed loop's iteration


@pytest.mark.parametrize(
    "data",
    [
        None,
        '{"iteration": 1, "log": "x"}',
        '{"iteration": 2}',
        '{"iteration": 0}',
        '{"iteration": "1"}',
        "{}",
        "[1]",
        "{",
        "9" * 5000,
    ],
)
def test_pending_iteration(session: Session, data: str | None) -> None:
    """The record alone says it, whatever stands in the page that a child can write to."""

    def pending() -> tuple[Begun | None, Begun | None]:
        again = open_session(session.main_repo, session.folder, around(session.main_repo))
        return session.state.pending, again.state.pending

    if data is not None:
        files.write(session.folder / "_iteration.json", data)
    assert pending() == (None, None)
    session.history.append("begin", n=1, phase="p", log="x.jsonl")
    assert pending() == (Begun(1, "p", "x.jsonl"),) * 2
    session.history.append("iteration", n=1, phase="p", outcome="continue", next="p")
    assert pending() == (None, None)


def test_no_new_words_between_a_kill_and_its_recovery(session: Session) -> None:
    """Without a run nobody recovers: the words would pass for a note that the child had read."""
    session.history.append("begin", n=1, phase="investigation", log="x.jsonl")
    with pytest.raises(UserError, match="killed in the middle"):
        task.make(session, {"task": "more"}, print)
    assert kinds(session) == ["task"]
    task.make(session, {}, print)


LIMITS = Limits(max_iterations=10, max_cost=None, max_wait=60)


def test_begin(session: Session) -> None:
    """On record and in the page, with the code as it is; the old signal is gone."""
    session.ensure_worktree()
    (session.folder / "_signal.json").write_text('{"status": "done", "summary": "stale"}')
    (session.cwd / "a.py").write_text("changed")
    status = session.status()
    job, before = session.begin(60, LIMITS._replace(max_cost=2.0))
    assert not (session.folder / "_signal.json").exists()
    assert (job.log.parent, job.cwd, job.limit, job.budget) == (session.logs, session.cwd, 60, 1.0)
    line = json.loads(session.history.path.read_text().splitlines()[-1])
    assert line.pop("t") and status and list(status.dirty) == ["a.py"]
    assert line == {
        "event": "begin", "n": 1, "phase": "investigation", "log": job.log.name,
        "budget_usd": 1.0, "timeout": 60, "head": status.head, "dirty": dict(status.dirty),
    }  # fmt: skip
    assert before.page == (session.folder / "_iteration.json").read_text()
    page = json.loads(before.page)
    assert (page["iteration"], page["phase"], page["head"]) == (1, "investigation", status.head)
    assert not session.history.restore(), "the line of the begin is in our copy"
    assert before.mark.code == status and not moved(session, before.mark)


def test_each_log_is_a_new_file(session: Session) -> None:
    """Free even when a killed loop took the same minute."""
    session.ensure_worktree()
    session.history.append(
        "iteration", n=6, phase="implementation", outcome="continue", next="testing"
    )
    first = session.begin(60, LIMITS)[0].log
    assert re.fullmatch(r"007-\d\d-\d\d-\d{4}-testing\.jsonl", first.name)
    first.touch()
    second = session.begin(60, LIMITS)[0].log
    second.with_suffix(".stderr").touch()
    logs = {first, second, session.begin(60, LIMITS)[0].log}
    assert len(logs) == 3 and all("-testing" in log.name for log in logs)


# --max-iterations 0, as the commands call it


def test_show_only_makes_the_session_and_says_where_it_stands(project: Project) -> None:
    made = project.run("--max-iterations", "0", task="t")
    assert made.returncode == 0, made.stderr
    assert str(project.session) in made.stdout and str(project.worktree) in made.stdout
    assert "investigation" in made.stdout and len(made.stdout.splitlines()) <= 20
    command = made.stdout.partition("\nTo go on: ")[2].split()
    assert command[1:2] == [str(ROOT / "main.py")] and command[-1] == project.session.name
    assert project.worktree.is_dir() and project.history("start") == []
    project.script("ask('Where to?'); signal('waiting', **{'for': 'qa_answers'})")
    assert project.run("--on-wait", "exit").returncode == 4
    before = {path: path.read_bytes() for path in project.session.iterdir() if path.is_file()}
    shown = project.run("--max-iterations", "0")
    assert shown.returncode == 0 and "Q1: Where to?" in shown.stdout
    assert "Task:      t\n" in shown.stdout and "waiting for you (exit code 4)" in shown.stdout
    assert {path: path.read_bytes() for path in before} == before, "looking changes nothing"
    (project.session / "_qa.md").unlink()
    (project.session / "_qa.md").mkdir()
    shown = project.run("--max-iterations", "0")
    assert shown.returncode == 0 and "Q1: Where to?" in shown.stdout
    assert (project.session / "_qa.md").is_dir(), "without the lock nothing is set aside"


def test_a_blocked_session_shows_how_to_decide(project: Project) -> None:
    project.script("signal('blocked', reason='no key')")
    assert project.run(task="t").returncode == 3
    shown = project.run("--max-iterations", "0").stdout
    assert 'To go on (add --task "your decision" if it needs one): ' in shown


def test_show_only_while_a_loop_runs_changes_nothing(project: Project) -> None:
    """Not even what a running child has just spoilt, or what the loop is just writing."""
    project.script("(SESSION / '_qa.md').mkdir(); write('up'); time.sleep(60)")
    loop = project.start(task="t")
    wait_for(lambda: list((project.folder / "sessions").glob("*/up")))
    with (project.session / "_history.jsonl").open("ab") as file:
        file.write(b'{"torn')
    shown = project.run("--max-iterations", "0")
    assert shown.returncode == 0 and "a loop runs it now" in shown.stdout, shown.stderr
    assert "To go on" not in shown.stdout
    assert (project.session / "_qa.md").is_dir()
    assert (project.session / "_history.jsonl").read_bytes().endswith(b'{"torn')
    end(loop)


def test_an_unknown_session_names_the_near_ones(project: Project) -> None:
    assert project.run("--max-iterations", "0").returncode == 2
    assert not (project.folder / "sessions").exists()
    project.run("--max-iterations", "0", task="t")
    project.name = "wrok"
    missing = project.run()
    assert missing.returncode == 2 and "Near: " in missing.stderr and "-work" in missing.stderr
    assert "--task or --dive" in missing.stderr


def test_two_starts_of_one_new_session(project: Project) -> None:
    """Both find nothing; one makes it, the other one says so or waits its turn: no traceback."""
    project.script(default="signal('done', summary='s')")
    loops = [project.start("--max-iterations", "0", task="t") for _ in range(4)]
    printed = [loop.communicate(timeout=60)[0] for loop in loops]
    assert 0 in {loop.returncode for loop in loops}
    assert all(loop.returncode in (0, 2) for loop in loops), printed
    assert not any("Traceback" in text for text in printed), printed
    assert len(list((project.folder / "sessions").glob("[!.]*"))) == 1


def test_another_projects_session_is_left_alone(project: Project, tmp_path: Path) -> None:
    """Two projects with one SESSIONS: the second one's words must not go into the first one's."""
    assert project.run("--max-iterations", "0", task="for A").returncode == 0
    before = {name: (project.session / name).read_bytes() for name in ("_task.md", HISTORY)}
    other = tmp_path / "other"
    other.mkdir()
    git("init", "-q", cwd=other)
    git("commit", "-q", "--allow-empty", "-m", "Other", cwd=other)
    shutil.rmtree(project.worktree)
    project.configure(MAIN_REPO=str(other))
    for args in ((), ("--max-iterations", "0")):
        for words in ("for B", None):
            refused = project.run(*args, task=words)
            assert refused.returncode == 2 and "of another repository" in refused.stderr
    assert {name: (project.session / name).read_bytes() for name in before} == before
    assert not project.worktree.exists()


def test_another_clones_session_is_left_alone(project: Project, tmp_path: Path) -> None:
    """It has the commit, but the worktree is not its own."""
    assert project.run("--max-iterations", "0", task="for A").returncode == 0
    before = (project.session / "_task.md").read_bytes()
    git("clone", "-q", str(project.repo), "second", cwd=tmp_path)
    project.configure(MAIN_REPO=str(tmp_path / "second"))
    refused = project.run(task="for B")
    assert refused.returncode == 2 and "of another clone" in refused.stderr
    assert (project.session / "_task.md").read_bytes() == before


def test_ctrl_c_while_the_worktree_is_made(project: Project) -> None:
    """git ends its work, and the next start finds a whole worktree."""
    git("config", "filter.slow.smudge", "sleep 0.2; cat", cwd=project.repo)
    (project.repo / ".gitattributes").write_text("*.big filter=slow\n")
    for n in range(8):
        (project.repo / f"{n}.big").write_text(str(n))
    git("add", ".", cwd=project.repo)
    git("commit", "-q", "-m", "Big", cwd=project.repo)
    making = project.start("--max-iterations", "0", task="t")
    wait_for(lambda: list((project.folder / "worktrees").glob("*/0.big")))
    end(making, signal.SIGINT)
    assert project.run("--max-iterations", "0", timeout=20).returncode == 0
    assert (project.worktree / "7.big").read_text() == "7"


def test_a_session_without_its_commit_on_record_goes_on(session: Session) -> None:
    """Made before that was recorded."""
    history = session.folder / HISTORY
    first, *more = history.read_text().splitlines(keepends=True)
    line = json.loads(first)
    assert line.pop("commit") == git("rev-parse", "main", cwd=session.main_repo)
    history.write_text(json.dumps(line) + "\n" + "".join(more))
    again = open_session(session.main_repo, session.folder, around(session.main_repo))
    assert again.state.worktree and again.state.worktree.commit is None
    assert "on new branch" in (again.ensure_worktree() or "")
