"""How a run ends: exit codes, the Stop that carries one, and the error a user can act on."""

from __future__ import annotations

import errno
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


class ExitCode(IntEnum):
    """The exit codes of main.py (README, Exit codes)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BLOCKED = 3
    WAITING = 4
    LIMIT = 5
    INTERRUPTED = 130
    TERMINATED = 143


class Stop(NamedTuple):
    """Why the loop stops: the exit code, and the reason in words for the human."""

    code: ExitCode
    why: str = ""
    seen: bool = False
    """Whoever stopped it sits before it: no message is sent."""


class UserError(Exception):
    """Known trouble, in sentences that each name the remedy.

    main.py prints every problem on stderr, without a traceback, and exits with `exit_code`. Any
    other exception is a bug and shows its traceback.
    """

    def __init__(self, *problems: str, exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems
        self.exit_code: ExitCode = exit_code


def known_trouble(error: Exception, folder: Path | None = None) -> Stop | None:
    """The Stop that an exception comes to; None for a bug. `folder` is the session's."""
    if isinstance(error, UserError):
        return Stop(error.exit_code, str(error))
    if folder and not folder.is_dir():
        why = "The session folder is gone: somebody removed it while the loop ran."
        return Stop(ExitCode.FAILED, why)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return Stop(
            ExitCode.FAILED, f"{error}: make room or give access, then go on. Nothing is lost."
        )
    return None
