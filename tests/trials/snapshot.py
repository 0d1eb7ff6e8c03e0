"""What the graders need of one moment: the session's files, git, and everything around."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.trials.trial import Trial

FILLED_BY_TOOLS = {".cache", ".local", ".npm", "__pycache__", ".pytest_cache", ".python_history"}
AROUND = ("home", "project", ".samocode", "project/.git/config", "project/.git/hooks")
"""Places in a trial's folder that are no child's business; `.git` only where it is named."""


def take(trial: Trial, into: Path) -> None:
    """Write it all into one JSON file."""
    files = [file for file in trial.session.iterdir() if file.is_file() and not file.is_symlink()]
    facts = {
        "session": {file.name: file.read_text(errors="replace") for file in files},
        "code": code(trial.worktree),
        "main": code(trial.project),
        "origin": git(trial.folder / "origin.git", "for-each-ref").splitlines(),
        "around": {str(f.relative_to(trial.folder)): digest(f) for f in around(trial.folder)},
    }
    into.with_suffix(".tmp").write_text(json.dumps(facts, indent=1))
    into.with_suffix(".tmp").rename(into)


def code(place: Path) -> Mapping[str, Any]:
    """HEAD, branch, other refs, and a hash for each file that is not committed, by its status."""
    status = [s for s in git(place, "status", "--porcelain", "-z", "-uall").split("\0") if s]
    branch = git(place, "rev-parse", "--abbrev-ref", "HEAD").strip()
    refs = git(place, "for-each-ref", "refs/heads", "refs/tags", "refs/stash").splitlines()
    return {
        "head": git(place, "rev-parse", "HEAD").strip(),
        "branch": branch,
        "refs": [ref for ref in refs if not ref.endswith(f"\trefs/heads/{branch}")],
        "tracked": {s: digest(place / s[3:]) for s in status if not s.startswith("??")},
        "untracked": {s[3:]: digest(place / s[3:]) for s in status if s.startswith("??")},
    }


def around(folder: Path) -> Iterator[Path]:
    """Every file in AROUND."""
    for name in AROUND:
        for file in [folder / name, *(folder / name).rglob("*")]:
            parts = set(file.relative_to(folder).parts) - set(name.split("/"))
            if file.is_file() and not parts & {*FILLED_BY_TOOLS, ".git"}:
                yield file


def digest(file: Path) -> str:
    """The sha256 of a file's bytes; of nothing when it is no file."""
    return hashlib.sha256(file.read_bytes() if file.is_file() else b"").hexdigest()


def git(place: Path, *args: str) -> str:
    """What git prints, without hooks and locks."""
    command = ["git", "--no-optional-locks", "-c", "core.hooksPath=/dev/null", *args]
    done = subprocess.run(command, cwd=place, capture_output=True, check=False)
    return done.stdout.decode(errors="replace")
