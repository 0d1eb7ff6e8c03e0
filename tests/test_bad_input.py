"""Bad input: one clear sentence with its remedy, exit code 2, and nothing is created or lost."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import git
from tests.harness import Project


def no_directory(project: Project) -> None:
    project.configure(MAIN_REPO=str(project.folder / "nowhere"))


def no_commit(project: Project) -> None:
    empty = project.folder / "empty"
    empty.mkdir()
    git("init", "-q", cwd=empty)
    project.configure(MAIN_REPO=str(empty))


def no_identity(project: Project) -> None:
    project.extra = {"GIT_CONFIG_GLOBAL": "/dev/null", "EMAIL": "", "GIT_COMMITTER_EMAIL": ""}
    git("config", "user.useConfigOnly", "true", cwd=project.repo)


def missing_key(project: Project) -> None:
    project.config.write_text(f"MAIN_REPO={project.repo}\nSESSIONS=sessions\n")


def unknown_key(project: Project) -> None:
    project.configure(VERIFI="true")


def no_number(project: Project) -> None:
    project.extra = {"CLAUDE_TIMEOUT": "soon"}


def no_claude(project: Project) -> None:
    project.extra = {"CLAUDE_PATH": "/nowhere/claude"}


def not_executable(project: Project) -> None:
    plain = project.folder / "plain"
    plain.write_text("#!/bin/sh\n")
    project.extra = {"CLAUDE_PATH": str(plain)}


def no_session_folder(project: Project) -> None:
    (project.folder / "sessions" / "work").mkdir(parents=True)


def taken_branch(project: Project) -> None:
    day = subprocess.run(["date", "+%y-%m-%d"], capture_output=True, text=True, check=True).stdout
    git("branch", f"samocode/{day.strip()}-work", cwd=project.repo)


def bad_name(name: str) -> Callable[[Project], None]:
    def use(project: Project) -> None:
        project.name = name

    return use


def no_task(_project: Project) -> None:
    """Nothing: the command line below lacks the task."""


CASES: dict[str, tuple[Callable[[Project], None], str]] = {
    "MAIN_REPO is no directory": (no_directory, "MAIN_REPO: .*nowhere.*name one that exists"),
    "no commit": (no_commit, "has no commit yet. Run: git -C .* commit"),
    "no committer identity": (no_identity, "Run: git config --global user.name"),
    "a missing key": (missing_key, "WORKTREES is missing: add WORKTREES=PATH"),
    "an unknown key": (unknown_key, "VERIFI.*VERIFY"),
    "no number": (no_number, "CLAUDE_TIMEOUT.*soon"),
    "claude is not there": (
        no_claude,
        "/nowhere/claude. is not executable.*CLAUDE_PATH",
    ),
    "claude is not executable": (not_executable, "is not executable"),
    "a folder that is no session": (no_session_folder, "is no session"),
    "the branch is taken": (taken_branch, "exists already: choose another --session name"),
    "a slash in the name": (bad_name("a/b"), "use up to 64 letters"),
    "dots in the name": (bad_name("a..b"), "use up to 64 letters"),
    "a new session without a task": (no_task, "add --task or --dive"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(tmp_path: Path, repo: Path, case: str) -> None:
    spoil, sentence = CASES[case]
    project = Project(tmp_path, repo)
    project.script("signal('done', summary='never')")
    spoil(project)
    before = sorted(str(path) for path in tmp_path.rglob("*") if ".git/" not in str(path))
    ended = project.run(task=None if spoil is no_task else "t")
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("samocode: ")]
    assert len(lines) == 1 and re.search(sentence, ended.stderr), ended.stderr
    after = sorted(str(path) for path in tmp_path.rglob("*") if ".git/" not in str(path))
    assert [path for path in after if "__pycache__" not in path] == before


def test_all_problems_at_once(tmp_path: Path, repo: Path) -> None:
    project = Project(tmp_path, repo)
    project.config.write_text(f"MAIN_REPO={repo}\nWORKTRES=w\n")
    project.extra = {"CLAUDE_TIMEOUT": "soon", "CLAUDE_PATH": "/nowhere", "SAMOCODE_MAX_COSTS": "5"}
    ended = project.run(task="t")
    assert ended.returncode == 2
    for name in ("WORKTRES", "SESSIONS", "CLAUDE_TIMEOUT", "CLAUDE_PATH", "SAMOCODE_MAX_COSTS"):
        assert name in ended.stderr
