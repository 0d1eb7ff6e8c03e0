"""Run git without prompts, hooks or optional locks, in exactly the intended repository."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from samocode.record.exits import ExitCode, UserError
from samocode.record.files import real

TIMEOUT = 300  # seconds
CHECKOUT = 3600  # seconds for a new worktree, whose files may come from a slow network (LFS)
LOCATION_VARIABLES = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_NAMESPACE",
)  # fmt: skip
"""Git sets these for its hooks and aliases. If inherited, they select another repository."""

CEILING = "GIT_CEILING_DIRECTORIES"


def typed(folder: Path) -> str:
    """Return the start of a git command to show to the user, quoted for the shell."""
    return f"git -C {shlex.quote(str(folder))}"


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that select another repository."""
    return {name: value for name, value in environ.items() if name not in LOCATION_VARIABLES}


def not_above(top: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git does not search above `top`. A worktree inside the
    user's repository once lost its .git, and a child's `git reset` changed the user's instead."""
    given = environ.get(CEILING)
    return {**environ, CEILING: f"{real(top).parent}{os.pathsep + given if given else ''}"}


def in_worktree(
    top: Path, environ: Mapping[str, str], *args: str, locks: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run git in the worktree at `top` and never in a repository above it."""
    return git(top, environ, f"--git-dir={top / '.git'}", f"--work-tree={top}", *args, locks=locks)


def git(
    cwd: Path, environ: Mapping[str, str], *args: str, locks: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run git in `cwd` and capture its output. UserError if git cannot be started. With `locks`,
    git may write the index to speed up later commands."""
    if not cwd.is_dir():
        return subprocess.CompletedProcess(args, 128, "", f"{cwd} is not a directory")
    try:
        process = subprocess.Popen(
            ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *args],
            cwd=cwd,
            env={
                **clean(environ),
                "GIT_OPTIONAL_LOCKS": "1" if locks else "0",
                "GIT_TERMINAL_PROMPT": "0",
                "LC_ALL": "C",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,  # Ctrl-C at the terminal must reach only the loop
        )
    except OSError as error:  # not installed, or being updated at this moment
        gone = f"git cannot be run ({error}): install it, or correct PATH, then run again."
        raise UserError(gone, exit_code=ExitCode.FAILED) from error
    limit = CHECKOUT if args[:2] == ("worktree", "add") else TIMEOUT
    return subprocess.CompletedProcess(args, *_ended(process, limit))


def _ended(process: subprocess.Popen[str], limit: float) -> tuple[int, str, str]:
    """Wait for git and return its exit code, stdout and stderr. A daemon that git left behind may
    hold the pipes open for ever, so reading stops after `limit` seconds."""
    with process:
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return 124, "", f"git gave no answer in {limit} s"
    return process.returncode, out, err
