"""One git command: nothing asks for input, no hook runs, no lock is taken, nothing leads it to
another repository."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from samocode.record.exits import ExitCode, UserError

TIMEOUT = 300  # seconds; a worktree of a very large repository takes minutes
LOCATION_VARIABLES = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_NAMESPACE",
)  # fmt: skip
"""Set by git for its own hooks and aliases; inherited, they send every git command to the wrong
repository."""

CEILING = "GIT_CEILING_DIRECTORIES"


def typed(folder: Path) -> str:
    """How a git command begins that a person is told to run: the path as a shell takes it."""
    return f"git -C {shlex.quote(str(folder))}"


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables that would send git to another repository."""
    return {name: value for name, value in environ.items() if name not in LOCATION_VARIABLES}


def not_above(top: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which git never takes the repository around `top` for the one in it: a
    worktree that lost its .git lay inside the user's repository, and a child's reset met that."""
    given = environ.get(CEILING)
    return {**environ, CEILING: f"{top.resolve().parent}{os.pathsep + given if given else ''}"}


def in_worktree(
    top: Path, environ: Mapping[str, str], *args: str, locks: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run git in exactly the worktree at `top`: it searches for no repository above."""
    return git(top, environ, f"--git-dir={top / '.git'}", f"--work-tree={top}", *args, locks=locks)


def git(
    cwd: Path, environ: Mapping[str, str], *args: str, locks: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run git in `cwd`; the result has its exit code, stdout and stderr. `locks`: it may write the
    index where that only makes it faster. UserError when git cannot be run."""
    if not cwd.is_dir():
        return subprocess.CompletedProcess(args, 128, "", f"{cwd} is no directory")
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
            start_new_session=True,  # a terminal's Ctrl-C is the loop's to answer, not git's
        )
    except OSError as error:  # not installed; or an update takes it away for a moment
        gone = f"git cannot be run ({error}): install it, or correct PATH, then go on."
        raise UserError(gone, exit_code=ExitCode.FAILED) from error
    return subprocess.CompletedProcess(args, *_ended(process))


def _ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """(exit code, stdout, stderr). A timeout given to `communicate` would sleep before it looks
    at the exit code: half of what a short command takes."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a filter of git's too: it holds the pipes

    timer = threading.Timer(TIMEOUT, kill)
    timer.start()
    try:
        with process:
            out, err = process.communicate()
    finally:
        timer.cancel()
    if late.is_set():
        return 124, "", f"git gave no answer in {TIMEOUT} s"
    return process.returncode, out, err
