"""How a run ends: exit codes, `Stop`, and the error that a user can fix."""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

DISK = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE,
    errno.ENOTCONN, errno.ELOOP,
)  # fmt: skip
"""Errors of the file system that a person can mend: full, read-only, damaged, a lost server."""


class ExitCode(IntEnum):
    """The exit codes of main.py, listed in README."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BLOCKED = 3
    WAITING = 4
    LIMIT = 5
    INTERRUPTED = 130
    TERMINATED = 143


class Stop(NamedTuple):
    """Why the loop stops: the exit code and the reason shown to the user."""

    code: ExitCode
    why: str = ""
    seen: bool = False
    """The user stopped it at the terminal, so no message is sent."""


class UserError(Exception):
    """An error that the user can fix. Each problem is one sentence that names the remedy, shown
    without a traceback. It ends the program with `exit_code`, or becomes a Stop of the session. Any
    other exception is a bug and keeps its traceback."""

    def __init__(self, *problems: str, exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems
        self.exit_code: ExitCode = exit_code


def known_trouble(error: Exception, folder: Path | None = None) -> Stop | None:
    """Return the Stop for an expected exception, None for a bug. `folder` is the session's."""
    if isinstance(error, UserError):
        return Stop(error.exit_code, str(error))
    if folder and not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir may raise
        why = "The session folder is gone: somebody removed it while the loop ran."
        return Stop(ExitCode.FAILED, why)
    if isinstance(error, OSError) and error.errno in DISK:
        remedy = "free disk space, give access or mend the disk, then run again."
        return Stop(ExitCode.FAILED, f"{error}: {remedy}")
    return None
