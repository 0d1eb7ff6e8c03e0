"""The code that a trial works on: a package from PyPI, or the little project of tally.toml."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.trials.scenario import TALLY
from tests.trials.trial import Trial


def make(trial: Trial) -> None:
    """A repository on branch main with one commit and a remote."""
    wanted, place = trial.scenario, trial.project
    files: dict[str, str] = {} if wanted.package else dict(TALLY["files"])
    files |= {name: files.get(name, "") + text for name, text in wanted.more.items()}
    place.mkdir()
    if wanted.package:
        download(wanted.package, place)
    for name, text in ({".gitignore": "__pycache__/\n"} | files).items():
        if not (place / name).exists():
            (place / name).write_text(text.lstrip("\n"))
    if wanted.library:
        shutil.copy(Path(sysconfig.get_path("stdlib"), wanted.library), place)
    origin = str(trial.folder / "origin.git")
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "."),
        ("commit", "--quiet", f"--message=Import {wanted.package or 'tally'}"),
        ("init", "--quiet", "--bare", origin),
        ("remote", "add", "origin", origin),
        ("push", "--quiet", "origin", "main"),
    ):
        subprocess.run(["git", *command], cwd=place, env=trial.environ(), check=True)


def download(package: str, into: Path) -> None:
    """The content of a source package."""
    command = [sys.executable, "-m", "pip", "download", "--no-binary", ":all:", "--no-deps"]
    cache = into.parent / "download"
    subprocess.run([*command, "--quiet", "--dest", str(cache), package], check=True, timeout=300)
    (archive,) = cache.glob("*.tar.gz")
    unpack = [
        "tar",
        "-xf",
        str(archive),
        "-C",
        str(into),
        "--strip-components=1",
        "--no-same-owner",
    ]
    subprocess.run([*unpack, "--exclude=*.egg-info", "--exclude=PKG-INFO"], check=True)
    shutil.rmtree(cache)
