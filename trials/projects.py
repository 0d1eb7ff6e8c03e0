"""The code that a trial works on: a package from PyPI, or a little project of this folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from trials.scenario import Scenario
from trials.trial import Trial

OWN = Path(__file__).resolve().parent / "projects"
STRAY = ("*.egg-info", "__pycache__", "PKG-INFO")
IGNORE = "__pycache__/\n*.pyc\n.pytest_cache/\n.ruff_cache/\n.mypy_cache/\n"


def make(wanted: Scenario, trial: Trial) -> None:
    """The project as a repository with a remote, branch main, one commit."""
    project = trial.folder / "project"
    if wanted.package:
        _download(wanted.package, project)
    else:
        shutil.copytree(OWN / wanted.project, project)
    extra = wanted.folder / "project"
    if extra.is_dir():
        shutil.copytree(extra, project, dirs_exist_ok=True)
    if not (project / ".gitignore").exists():
        (project / ".gitignore").write_text(IGNORE)
    git(trial, "init", "--quiet", "--initial-branch=main", cwd=project)
    git(trial, "add", ".", cwd=project)
    git(
        trial,
        "commit",
        "--quiet",
        f"--message=Import {wanted.package or wanted.project}",
        cwd=project,
    )
    git(trial, "init", "--quiet", "--bare", "origin.git", cwd=trial.folder)
    git(trial, "remote", "add", "origin", str(trial.folder / "origin.git"), cwd=project)
    git(trial, "push", "--quiet", "origin", "main", cwd=project)


def git(trial: Trial, *args: str, cwd: Path) -> str:
    """What git prints."""
    return subprocess.run(
        ["git", *args], cwd=cwd, env=trial.environ(), capture_output=True, text=True, check=True
    ).stdout


def _download(package: str, into: Path) -> None:
    """The source package's content, less what building it left there."""
    cache = into.parent / "download"
    options = ["--no-binary", ":all:", "--no-deps", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(cache), package]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=300)
    (archive,) = cache.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(cache, filter="data")
    (source,) = (path for path in cache.iterdir() if path.is_dir())
    for pattern in STRAY:
        for path in source.rglob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    source.rename(into)
    shutil.rmtree(cache)
