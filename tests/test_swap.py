"""Replacing a page, with a save or a kill before each step of it."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from samocode.gate.answers import Answers
from samocode.pages.answers import Added
from samocode.pages.qa_file import QaFile
from samocode.pages.swap import recover, swap
from samocode.record.history import History
from samocode.session import Session
from tests.outer.stage import ROOT

# Runs swap in its own process for each scene. An audit hook acts before the n-th file operation.
# stdin: JSON list of [folder, [[step, how], ...]], where how is replace, in-place, old-inode,
# delete or kill. stdout: for each scene [result of swap, number of steps], or null if killed.
STEPPING = """
import json, os, sys
from pathlib import Path
from samocode.pages.swap import swap

def scene(folder, acts, out):
    path, step, acting = folder / "_qa.md", 0, False
    old = os.open(path, os.O_RDWR)

    def act(how):
        if how == "replace":
            (folder / "new").write_text("human replace"); (folder / "new").replace(path)
        elif how == "in-place":
            with path.open("w") as file: file.write("human in-place")
        elif how == "old-inode":
            os.ftruncate(old, 0); os.pwrite(old, b"human old-inode", 0)
        elif how == "delete":
            path.unlink(missing_ok=True)
        elif how == "kill":
            os._exit(9)

    def hook(event, args):
        nonlocal step, acting
        if acting or event not in ("open", "os.rename", "os.remove", "os.link", "os.chmod"):
            return
        acting = True
        name = os.fspath(args[0]) if event == "open" and not isinstance(args[0], int) else ""
        if event != "open" or str(folder) in str(name):
            step += 1
            if step in acts: act(acts[step])
        acting = False

    sys.addaudithook(hook)
    done = swap(path, b"printed", b"seen")
    acting = True
    os.write(out, json.dumps([done, step]).encode())

found = []
for name, acts in json.load(sys.stdin):
    folder = Path(name)
    folder.mkdir()
    (folder / "_qa.md").write_text("seen")
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        scene(folder, dict(acts), write)
        os._exit(0)
    os.close(write)
    said, code = os.read(read, 99), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(read)
    assert code == (0 if said else 9), code
    found.append(json.loads(said or "null"))
print(json.dumps(found))
"""
Acts = tuple[tuple[int, str], ...]


def stepping(*scenes: tuple[Path, Acts]) -> list[tuple[bool, int] | None]:
    """For each scene: (what swap returned, number of steps), or None if it was killed."""
    given = json.dumps([(str(folder), acts) for folder, acts in scenes])
    done = subprocess.run(
        [sys.executable, "-c", STEPPING], cwd=ROOT, input=given, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[tuple[bool, int] | None] = json.loads(done.stdout)
    return found


def everything(folder: Path) -> list[str]:
    """The texts of the page and of the files beside it, after the repair of the next start."""
    recover(folder / "_qa.md")
    return [p.read_text() for p in folder.glob("_qa.md*") if not p.name.endswith(".loop.tmp")]


@pytest.fixture
def last(tmp_path: Path) -> int:
    """The number of steps of an undisturbed swap."""
    (done,) = stepping((tmp_path / "alone", ()))
    assert done and done[0] and done[1] >= 6, done
    assert everything(tmp_path / "alone") == ["printed"]
    return done[1]


@pytest.mark.parametrize("how", ["replace", "in-place", "old-inode"])
def test_a_save_before_any_step_is_never_lost(tmp_path: Path, last: int, how: str) -> None:
    """Whether the editor renames a new file, truncates the page, or writes to the old inode."""
    if how == "old-inode":
        last -= 1  # a write after the last read cannot be detected
    steps = {tmp_path / str(step): step for step in range(1, last + 1)}
    ends = stepping(*((folder, ((step, how),)) for folder, step in steps.items()))
    for (folder, step), done in zip(steps.items(), ends, strict=True):
        assert f"human {how}" in everything(folder), f"before step {step}"
        page = (folder / "_qa.md").read_text()
        assert done and (not done[0] or page in ("printed", f"human {how}")), f"step {step}"


def test_two_editors_at_once_lose_nothing(tmp_path: Path, last: int) -> None:
    pairs = [(first, second) for second in range(1, last) for first in range(1, second)]
    stepping(*((tmp_path / f"{a}-{b}", ((a, "replace"), (b, "old-inode"))) for a, b in pairs))
    for a, b in pairs:
        assert "human replace" in everything(tmp_path / f"{a}-{b}"), (a, b)


@pytest.mark.parametrize("how", ["", "replace", "old-inode", "delete"])
def test_a_kill_before_any_step_loses_nothing(tmp_path: Path, last: int, how: str) -> None:
    """Also after a save. A page that a person deleted stays deleted."""
    kills = [(s, k) for k in range(1, last + 1) for s in (range(1, k) if how else (0,))]
    scenes = [
        (tmp_path / f"{k}-{s}", (*(((s, how),) if how else ()), (k, "kill"))) for s, k in kills
    ]
    for (folder, acts), done in zip(scenes, stepping(*scenes), strict=True):
        assert done is None or how, "without a save, the kill must come"
        found = everything(folder)
        if how != "delete":
            assert not how or f"human {how}" in found, (acts, found)
            assert (folder / "_qa.md").read_text() in ("seen", "printed", f"human {how}")
            assert swap(folder / "_qa.md", b"again", (folder / "_qa.md").read_bytes())


def test_an_older_swap_that_was_cut_off_is_not_overwritten(tmp_path: Path) -> None:
    page = tmp_path / "_qa.md"
    page.write_text("now")
    (tmp_path / "_qa.md.swap").write_text("a person's")
    swap(page, b"printed", b"now")
    assert "a person's" in everything(tmp_path)


@pytest.mark.parametrize("seen", [b"a", b"", None])
@pytest.mark.parametrize("there", [b"a", b"", None])
def test_only_what_was_seen_goes(tmp_path: Path, there: bytes | None, seen: bytes | None) -> None:
    page = tmp_path / "_qa.md"
    if there is not None:
        page.write_bytes(there)
    assert swap(page, b"printed", seen) == (there == seen)
    wanted = b"printed" if there == seen else there
    found = {path.name: path.read_bytes() for path in tmp_path.glob("_qa.md*")}
    assert found == ({} if wanted is None else {"_qa.md": wanted})


@pytest.mark.parametrize("mode", [0o644, 0o400])
def test_mode_and_owner_stay(tmp_path: Path, mode: int) -> None:
    """Only its owner can read a new page."""
    page = tmp_path / "_qa.md"
    assert swap(page, b"a", None) and stat.S_IMODE(page.stat().st_mode) == 0o600
    page.chmod(mode)
    if os.geteuid() == 0:
        os.chown(page, 12345, 23456)
    before = page.stat()
    assert swap(page, b"printed", b"a")
    after = page.stat()
    for name in ("st_mode", "st_uid", "st_gid"):
        assert getattr(after, name) == getattr(before, name)


# The page of questions, which is printed by swap


def questions(folder: Path, count: int = 1) -> History:
    """A history with so many open questions."""
    history = History(folder / "_history.jsonl").load()
    for number in range(1, count + 1):
        history.append("asked", id=number, kind="qa", title=f"Q{number}?", why="w", suggested="x")
    return history


@pytest.mark.parametrize("text", ["w " * 400_000, "a \udc80 b", "a \ud800 b", "a\0b"])
def test_the_loop_can_read_whatever_it_printed(tmp_path: Path, text: str) -> None:
    """Otherwise it would set the page aside and print it again, until the disk is full."""
    history, said = questions(tmp_path), list[str]()
    history.append("answer", id=1, text=text, by="telegram")
    history.append("found", id=1, text=text)
    file = QaFile(tmp_path, history, said.append)
    for _ in range(3):
        file.read()
        assert file.print()
    assert said == [] and [path.name for path in tmp_path.glob("_qa.md*")] == ["_qa.md"]


def test_a_page_that_somebody_is_at_work_on_is_left_alone(tmp_path: Path) -> None:
    session = Session(tmp_path, tmp_path, None, questions(tmp_path, 2))
    answers, page = Answers(session, list[str]().append), tmp_path / "_qa.md"
    answers.collect()
    assert answers.print()
    whole = page.read_text()
    page.write_text(whole + "tbd\n")
    answers.collect()
    assert answers.take(session.state.asked[1], Added("typed"), "terminal")
    assert answers.print() and page.read_text() == whole + "tbd\n"
    page.write_text(whole)
    assert answers.page.file.settled(60), "as it was printed"
    answers.collect()
    assert answers.print() and "Answer: typed" in page.read_text()
