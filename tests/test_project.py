"""The project's .samocode, from real files: found, read, and refused with the remedy."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from samocode.settings.load import load
from tests.place import DOTS, RUN, Place, made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path.resolve() / "a place"
    folder.mkdir()
    return made(folder)


@pytest.mark.parametrize("text", ["\ufeff" + DOTS, DOTS.replace("\n", "\r\n"), f"\n# x\n\n{DOTS}"])
def test_what_editors_do_to_a_file_is_no_harm(place: Place, text: str) -> None:
    place.dots.write_bytes(text.encode())
    assert place.load().project.sessions == place.folder / "sessions"


def test_paths_start_at_home_or_at_the_file(place: Place) -> None:
    (place.folder / "repo/sub").mkdir()
    place.dots.write_text("MAIN_REPO=./repo/sub/..\nWORKTREES=~/w\nSESSIONS=$HOME-s\n")
    project = place.load().project
    assert project.main_repo == place.folder / "repo"
    assert project.worktrees == place.folder / "my home/w"
    assert project.sessions == place.folder / "$HOME-s"


@pytest.mark.parametrize("config", [".samocode", ".", "repo/../.samocode", "~/../.samocode"])
def test_config_names_the_file_or_its_folder(place: Place, config: str) -> None:
    options = replace(RUN, config=Path(config))
    environ = place.environ
    found = load(options, environ, None, place.folder, uid=lambda: 1000).project.file
    assert found.samefile(place.dots)


def test_a_file_that_is_not_text_is_one_problem(place: Place) -> None:
    place.dots.write_bytes(DOTS.encode("utf-16"))
    (said,) = place.problems()
    assert said == f"{place.dots}: it is not UTF-8 text: save it as UTF-8."


def test_without_a_project_the_error_shows_one_that_works(place: Place) -> None:
    place.dots.unlink()
    (said,) = place.problems()
    lines = [line.strip() for line in said.splitlines()[1:]]
    (place.folder / "repo/.samocode").write_text("\n".join(lines))
    assert place.load().project.worktrees == place.folder / "repo-worktrees"
    (said,) = place.problems(replace(RUN, config=Path("nowhere")))
    assert f"{place.folder}/repo/nowhere is no file" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MAIN_REPO=\nWORKTREES=w\n", ["MAIN_REPO is missing: add", "SESSIONS is missing: add"]),
        (DOTS + "\n\nSETUP='npm\n", ["line 6: it cannot be read: write KEY=value"]),
        (DOTS + "hello world\n", ["line 4: it cannot be read"]),
        (DOTS + "SETUP\n", ["line 4: SETUP has no value: write SETUP=value"]),
        (DOTS + "SESSIONS=b\n", ["line 4: SESSIONS stands there twice: keep one"]),
        (DOTS + "SESSION=b\n", [r"line 4: 'SESSION' is not a known key \(nearest: SESSIONS\)"]),
        (DOTS + "colour=b\n", ["'colour' is not a known key: the keys are MAIN_REPO, WORKTREES"]),
        (DOTS + "CLAUDE_MODEL=x\n", ["'CLAUDE_MODEL' is not a known key"]),
        (DOTS + 'BASE_BRANCH="a\nb"\n', ["line 4: BASE_BRANCH: it holds a control character"]),
        (DOTS + 'VERIFY="a\\ab"\n', ["line 4: VERIFY: it holds a control character"]),
        (DOTS.replace("=repo", "=gone"), ["line 1: MAIN_REPO: .*/gone is no directory: name one"]),
        (DOTS.replace("=repo", "='re\npo'"), ["MAIN_REPO: it holds a control character"]),
        (DOTS.replace("=repo", "=" + "x" * 300), ["MAIN_REPO: .* is no directory"]),
        (DOTS.replace("=sessions", "=bin/claude"), ["SESSIONS: .*/bin/claude is no directory"]),
        (DOTS.replace("=sessions", "=a/b/c"), ["SESSIONS: .*/a/b does not exist: make it"]),
        (DOTS.replace("=sessions", "=a[b]"), ["SESSIONS: .* holds \\[, which no deny rule"]),
        (DOTS.replace("=worktrees", "=loop"), ["line 2: WORKTREES: .*: name"]),
        (DOTS.replace("=sessions", "=worktrees"), ["SESSIONS is inside WORKTREES"]),
        (DOTS.replace("=sessions", "=repo/../bin/s").replace("=worktrees", "=bin"), ["inside"]),
        (DOTS.replace("=sessions", "=repo"), ["MAIN_REPO is also WORKTREES or SESSIONS"]),
        (DOTS.replace("=worktrees", "=./repo/"), ["MAIN_REPO is also"]),
    ],
)
def test_a_wrong_project_file(place: Place, text: str, says: list[str]) -> None:
    (place.folder / "loop").symlink_to("loop")
    place.dots.write_text(text)
    problems = place.problems()
    assert len(problems) == len(says)
    for problem, pattern in zip(problems, says, strict=True):
        assert re.search(pattern, problem)
        assert str(place.dots) in problem


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_refused(place: Place) -> None:
    (place.folder / "sessions").mkdir(mode=0o500)
    assert "may not be written" in place.problems()[0]
