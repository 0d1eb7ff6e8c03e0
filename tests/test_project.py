"""The project's .samocode, from real files: found, read, and refused with the remedy."""

import os
import re
from pathlib import Path

import pytest

from samocode.settings.load import Settings
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
    flags = {**RUN, "--config": config}
    found = Settings(flags, place.environ, None, place.folder, uid=lambda: 1000).project.file
    assert found.samefile(place.dots)


def test_a_file_that_is_not_text_is_one_problem(place: Place) -> None:
    place.dots.write_bytes(DOTS.encode("utf-16"))
    (said,) = place.problems()
    assert said.startswith(f"{place.dots}: cannot be read (it is not UTF-8 text): ")


def test_without_a_project_the_error_shows_one_that_works(place: Place) -> None:
    place.dots.unlink()
    (said,) = place.problems()
    lines = [line.strip() for line in said.splitlines()[1:]]
    (place.folder / "repo/.samocode").write_text("\n".join(lines))
    assert place.load().project.worktrees == place.folder / "repo-worktrees"
    (said,) = place.problems({**RUN, "--config": "nowhere"})
    assert f"{place.folder}/repo/nowhere is no file" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "MAIN_REPO=\nWORKTREES=w\n",
            ["MAIN_REPO is missing: add MAIN_REPO=", "SESSIONS is missing: add"],
        ),
        (DOTS + "\n\nSETUP='npm\n", ["could not parse .* line 4: write KEY=value"]),
        (DOTS + "hello world\n", ["could not parse .* line 4: write KEY=value"]),
        (DOTS + "SETUP\n", ["SETUP has no value: write SETUP=value"]),
        (DOTS + "SESSIONS=b\n", ["SESSIONS is there more than once: keep one"]),
        (
            DOTS + "VERIFY=grep 'a #b' c\n",
            ["VERIFY: the text from ' #' .* put quotes around the wh"],
        ),
        (DOTS + "export SETUP = make # it\n", ["SETUP: .* or the comment on a line of its own"]),
        (DOTS.replace("=sessions", "=my #1"), ["SESSIONS: the text from ' #' on would be cut off"]),
        (DOTS + "SESSION=b\n", [r"'SESSION' is not a known key \(nearest: SESSIONS\)"]),
        (DOTS + "colour=b\n", ["'colour' is not a known key: correct it"]),
        (DOTS + "CLAUDE_MODEL=x\n", ["'CLAUDE_MODEL' is not a known key"]),
        (DOTS + 'BASE_BRANCH="a\nb"\n', ["BASE_BRANCH: .* is not a name"]),
        (DOTS + 'VERIFY="a\\ab"\n', ["VERIFY: .* is not one line .* single quotes around"]),
        (DOTS.replace("=repo", "=gone"), ["MAIN_REPO: .*/gone is no directory: name one"]),
        (DOTS.replace("=repo", "='re\npo'"), ["MAIN_REPO: .* is not one line"]),
        (DOTS.replace("=repo", "=" + "x" * 300), ["MAIN_REPO: .* is no directory"]),
        (DOTS.replace("=sessions", "=bin/claude"), ["SESSIONS: .*/bin/claude is no directory"]),
        (DOTS.replace("=sessions", "=a/b/c"), ["SESSIONS: .*/a/b does not exist: make it"]),
        (DOTS.replace("=sessions", "=a[b]"), ["SESSIONS: .* holds \\[, which no deny rule"]),
        (DOTS.replace("=worktrees", "=loop"), ["WORKTREES: .*: name"]),
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


@pytest.mark.parametrize(
    ("written", "verify"),
    [
        ("'make # it'", "make # it"),
        ("\"grep 'a #b' c\" # all of c", "grep 'a #b' c"),
        ("make#it", "make#it"),
        ("'\nmake # first\nmake test\n'", "make # first\nmake test"),
        ("", None),
        (" # later", None),
    ],
)
def test_a_command_is_never_cut(place: Place, written: str, verify: str | None) -> None:
    place.dots.write_text(f"{DOTS}BASE_BRANCH=dev # for now\nVERIFY={written}\n")
    project = place.load().project
    assert (project.base_branch, project.verify) == ("dev", verify)
