"""How a session folder is found, created, locked and repaired."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samocode import sessions, task
from samocode.decide.facts import Limits
from samocode.git.repository import Repository
from samocode.record import files
from samocode.record.exits import UserError
from samocode.session import Session, open_session
from samocode.settings.project import Project
from samocode.task import Texts
from tests.conftest import around, git
from tests.outer.stage import EXIT, Stage, photo
from tests.place import changed, iterated, project_of

LIMITS = Limits(max_iterations=10, max_cost=None, max_wait=60)


@pytest.fixture
def place(repo: Path) -> Project:
    return project_of(repo)


@pytest.fixture
def session(place: Project) -> Session:
    folder, _ = sessions.create(place, "work", {"task": "the täsk"}, around(place.main_repo))
    return reopened(place.main_repo, folder)


def reopened(main_repo: Path, folder: Path) -> Session:
    return open_session(main_repo, folder, around(main_repo))


def make(folder: Path) -> Path:
    """A folder that looks like a session."""
    folder.mkdir(parents=True)
    (folder / "_history.jsonl").touch()
    return folder


# Find


BAD = ("", "a/b", "..", ".hidden", "-x", "a b", "a..b", "x.lock", "x.", "ä", "x" * 65, "a\0b")


@given(st.sampled_from(BAD) | st.from_regex(r"[\w.@{~^-]{1,66}", fullmatch=True))
@settings(max_examples=60, deadline=None)
def test_every_accepted_name_works_as_a_folder_and_as_a_branch(name: str) -> None:
    try:
        sessions.check_name(name)
    except UserError as error:
        assert "use up to 64 letters" in str(error)
    else:
        assert name not in BAD
        assert Path(name).name == name and name[0] not in "._-"
        assert git("check-ref-format", "--branch", f"samocode/26-01-08-{name}", cwd=Path("/"))


def test_find(tmp_path: Path) -> None:
    """By its exact name, else by its short name in any case (the newest one). A similar name is
    only suggested."""
    old, new = make(tmp_path / "25-12-31-Work"), make(tmp_path / "26-01-08-work")
    exact = make(tmp_path / "work-2")
    make(tmp_path / ".new-26-02-01-work-77")
    make(tmp_path / "_archive" / "26-03-01-workshop")
    (tmp_path / "26-04-01-work").write_text("a file is no folder")
    assert sessions.find(tmp_path, "work") == sessions.find(tmp_path, "WORK") == new
    assert sessions.find(tmp_path, "25-12-31-Work") == old
    assert sessions.find(tmp_path, "work-2") == exact
    assert sessions.find(tmp_path, "wor") is sessions.find(tmp_path / "nowhere", "work") is None
    assert "26-01-08-work" in sessions.nearest(tmp_path, "wrok")
    assert "_archive/26-03-01-workshop" in sessions.nearest(tmp_path, "workshp")
    assert sessions.nearest(tmp_path, "zzz") == "" == sessions.nearest(tmp_path / "no", "x")


@pytest.mark.parametrize("name", ["26-01-08-mine", "mine"])
def test_a_folder_that_is_no_session_is_never_taken(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "26-01-08-mine"
    folder.mkdir()
    with pytest.raises(UserError, match="is not a session"):
        sessions.find(tmp_path, name)
    assert list(folder.iterdir()) == []


# Create


def test_a_start_that_comes_second_made_nothing(place: Project, session: Session) -> None:
    """So a usage error in it does not remove the folder of the first."""
    second = sessions.create(place, "work", {"task": "t"}, around(place.main_repo))
    assert second == (session.folder, False)


def test_what_cannot_begin_is_not_created(tmp_path: Path, place: Project) -> None:
    """tests/outer/test_refused.py has what git refuses."""
    (tmp_path / "nobody").write_text("[user]\n\tuseConfigOnly = true\n")
    nobody = {**os.environ, "GIT_CONFIG_GLOBAL": str(tmp_path / "nobody")}
    wrong = changed(place, base_branch="nope")
    for project, environ, says in (
        (place, nobody, r"git config --global user\.name"),
        (wrong, os.environ, r"BASE_BRANCH nope is not .*: correct or remove it in \.samocode"),
    ):
        repository = Repository.find(project.main_repo, environ)
        with pytest.raises(UserError, match=says) as raised:
            sessions.create(project, "work", {"task": "t"}, repository)
        assert raised.value.exit_code == 2 and not place.sessions.exists()


def test_the_record_beats_settings(tmp_path: Path, place: Project, session: Session) -> None:
    elsewhere = changed(place, worktrees=tmp_path / "elsewhere", base_branch="nope")
    repository = around(elsewhere.main_repo)
    found = sessions.find_or_create(elsewhere, "work", {"task": "the täsk"}, repository)
    assert found == (session.folder, False)
    again = reopened(elsewhere.main_repo, session.folder)
    assert again.state.worktree == session.state.worktree
    assert "on new branch" in (again.ensure_worktree() or "")


def test_a_repository_that_is_gone(tmp_path: Path, session: Session) -> None:
    with pytest.raises(UserError, match="is no longer in one"):
        open_session(tmp_path, session.folder, None).ensure_worktree()


def test_the_session_of_a_clone(tmp_path: Path, place: Project, session: Session) -> None:
    """In another clone, which has the commit, it is refused."""
    session.ensure_worktree()
    git("clone", "-q", str(session.main_repo), "second", cwd=tmp_path)
    second = changed(place, main_repo=tmp_path / "second")
    with pytest.raises(UserError, match="of another clone"):
        sessions.find_or_create(second, "work", {"task": "t"}, around(second.main_repo))


# The human's words


def take(session: Session, texts: Texts) -> tuple[str, ...]:
    """Return the kinds that were on record. A message names these once an iteration was run."""
    new, said = task.new(session, texts), list[str]()
    task.take(session, texts, said.append)
    known = tuple(kind for kind in texts if kind not in new)
    assert bool(said) == bool(known and session.state.iteration)
    assert not said or f"text of --{' and --'.join(known)}; it was not added again" in said[0]
    return known


def kinds(session: Session) -> list[str]:
    return [kind for _, kind, _ in session.state.texts]


def test_a_long_note_arrives_or_is_refused(session: Session) -> None:
    text, said = "ж" * 100_000, list[str]()
    task.send(session.folder, text)
    task.take_inbox(session, said.append)
    assert session.state.texts[-1][2] == text and len(said) == 1
    with pytest.raises(UserError, match="too long"):
        task.send(session.folder, text * 2)


def test_the_same_words_are_taken_once(session: Session) -> None:
    """The command may be the old one. A dive with the text of the task is added. After "blocked",
    a note equal to the last one is a new decision."""
    assert take(session, {"task": " the täsk\n"}) == ("task",)
    assert take(session, {"task": "the täsk", "dive": "the täsk"}) == ("task",)
    iterated(session)
    for _ in range(2):
        session.history.append("stop", exit=3, why="which?")
        assert take(session, {"task": "the täsk"}) == ("task",)
        assert take(session, {"task": "yes, go on"}) == ()
        session.history.append("start")
        assert take(session, {"task": "yes, go on"}) == ("task",)
        iterated(session)
    assert kinds(session) == ["task", "dive", "note", "note"]


def test_no_new_words_between_a_kill_and_its_recovery(session: Session) -> None:
    """They would count as read by the killed child."""
    session.history.append("begin", n=1, phase="investigation", log="x.jsonl")
    with pytest.raises(UserError, match="killed in the middle"):
        task.make(session, {"task": "more"}, print)
    assert kinds(session) == ["task"]
    task.make(session, {}, print)


def test_each_log_is_a_new_file(session: Session) -> None:
    """Even if a killed loop made one in the same minute."""
    session.ensure_worktree()
    first = session.begin(60, LIMITS)[0].log
    assert re.fullmatch(r"001-\d\d-\d\d-\d{4}-investigation\.jsonl", first.name)
    first.touch()
    second = session.begin(60, LIMITS)[0].log
    second.with_suffix(".stderr").touch()
    assert len({first, second, session.begin(60, LIMITS)[0].log}) == 3


# What a person sees


def test_folders_inside_the_repository_belong_in_its_gitignore(stage: Stage) -> None:
    """The warning has the lines to add."""
    inside = {"SESSIONS": f"{stage.repo}/s", "WORKTREES": f"{stage.repo}/w"}
    stage.configure(**inside)
    warned = stage.begin().out
    lines = re.findall(r"add this line to its \.gitignore: (\S+)", warned)
    assert lines == ["/s/", "/w/"], warned
    (stage.repo / ".gitignore").write_text("\n".join(lines) + "\n")
    assert "add this line" not in stage.run().out


def test_a_look_changes_nothing(stage: Stage) -> None:
    """--max-iterations 0 repairs neither a page nor a torn line: it does not hold the lock."""
    stage.script("ask('Where to?'); signal('waiting', **{'for': 'qa_answers'})")
    assert stage.begin(*EXIT).code == 4
    (stage.session / "_qa.md").unlink()
    (stage.session / "_qa.md").mkdir()
    with (stage.session / "_history.jsonl").open("ab") as file:
        file.write(b'{"torn')
    before = photo(stage.session)
    shown = stage.run("--max-iterations", "0")
    assert shown.code == 0 and "waiting for you (exit code 4)" in shown.out
    for words in (str(stage.worktree), "investigation", "Q1: Where to?", "\nTo go on: "):
        assert words in shown.out
    assert photo(stage.session) == before


def test_a_long_task_page_is_read(session: Session) -> None:
    """A page above 1 MB was once put aside at every look, about 25 GB in a night."""
    said: list[str] = []
    task.add(session.history, "note", "x" * files.MAX_BYTES)
    task.take(session, {}, said.append)
    assert task.page_file(session, said.append).read() and said == []
