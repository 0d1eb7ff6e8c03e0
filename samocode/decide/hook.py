"""The Stop hook (`main.py --check-signal DIR`): check the signal while the child can correct it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from samocode import __version__
from samocode.decide import signal as signals
from samocode.decide.changes import changed_code
from samocode.git.status import look
from samocode.pages.names import HISTORY
from samocode.record.exits import UserError
from samocode.record.history import History

MAY_END, SEND_BACK, NOT_CHECKED = 0, 2, 1
"""Exit codes of a Stop hook. On 2 the CLI sends stderr to the child and continues it."""


def check_signal(folder: Path, environ: Mapping[str, str]) -> int:
    """Check the signal and print one sentence per problem on stderr. Return the exit code. Errors
    that the child cannot fix give NOT_CHECKED: the child ends, and the loop reports them."""
    try:
        problems = problems_of(folder.resolve(), environ)
    except UserError as error:
        print(error, file=sys.stderr)
        return NOT_CHECKED
    for problem in problems:
        print(problem, file=sys.stderr)
    return SEND_BACK if problems else MAY_END


def problems_of(folder: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the problems with the signal and, before approval, with changed code."""
    if not (folder / HISTORY).is_file():
        raise UserError(f"{folder} is not a session.")
    state = History(folder / HISTORY).load(repair=False).state
    if state.program != __version__:  # another version: the clone was updated while the loop runs
        return ()
    status = look(state.worktree.path, environ) if state.worktree else None
    problems = signals.read(folder, state, status, environ).problems
    if changed := changed_code(state, status, environ):
        listed = ", ".join(changed[:20])
        restore = (
            f"No plan is approved yet, so code must not change. Restore what you changed: {listed}."
        )
        return (restore, *problems)
    return problems
