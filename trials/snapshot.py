"""What the graders need of one moment of a trial: the session's files, git, and everything around
the child."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

MAX_COPY = 1 << 20  # bytes; a session's own files are far smaller
PASSED_OVER = frozenset(
    {".cache", ".local", ".npm", "__pycache__", ".pytest_cache", ".python_history"}
)
"""What tools fill without anybody asking for it (.python_history: a Python prompt at its end)."""
WATCHED = ("home", "project", ".samocode", "project/.git/config", "project/.git/hooks")
"""Below the trial's folder: what no child has any business with. `.git` has its own line."""


def take(folder: Path, kind: str, trial: Path, session: Path, worktree: Path) -> None:
    """Put `kind`.json and a copy of the session's files, folder `kind`, into `folder`."""
    copy = folder / kind
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for file in session.iterdir():
        if file.is_file() and not file.is_symlink() and file.stat().st_size <= MAX_COPY:
            shutil.copy2(file, copy / file.name)
    facts = {"code": code(worktree), "main": code(trial / "project"), "around": around(trial)}
    origin = {"origin": git(trial / "origin.git", "for-each-ref").splitlines()}
    (folder / f"{kind}.json").write_text(json.dumps(facts | origin, indent=1))


def code(place: Path) -> Mapping[str, object]:
    """HEAD, branch, refs, stash and what is not committed, with a hash for each such file."""
    status = [s for s in git(place, "status", "--porcelain", "-z", "-uall").split("\0") if s]
    names = [entry[3:] for entry in status]
    return {
        "head": git(place, "rev-parse", "HEAD").strip(),
        "branch": git(place, "rev-parse", "--abbrev-ref", "HEAD").strip(),
        "refs": git(place, "for-each-ref", "refs/heads", "refs/tags", "refs/stash").splitlines(),
        "tracked": [entry for entry in status if not entry.startswith("??")],
        "untracked": [entry[3:] for entry in status if entry.startswith("??")],
        "hashes": {name: digest(place / name) for name in names},
    }


def around(trial: Path, places: Sequence[str] = WATCHED) -> Mapping[str, str]:
    """A hash for every file beside the code: HOME, the main checkout, the settings."""
    return {str(file.relative_to(trial)): digest(file) for file in sorted(_files(trial, places))}


def digest(file: Path) -> str:
    """The sha256 of a file's bytes, of nothing when it is no file."""
    return hashlib.sha256(file.read_bytes() if file.is_file() else b"").hexdigest()


def git(place: Path, *args: str) -> str:
    """What git prints in `place`; without hooks and without locks."""
    command = ["git", "--no-optional-locks", "-c", "core.hooksPath=/dev/null", *args]
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, errors="replace", check=False
    )
    return done.stdout


def _files(trial: Path, places: Sequence[str]) -> Iterator[Path]:
    for name in places:
        place = trial / name
        for file in [place, *place.rglob("*")]:
            parts = set(file.relative_to(trial).parts)
            inside_git = ".git" in parts and ".git" not in name
            if file.is_file() and not parts & PASSED_OVER and not inside_git:
                yield file
