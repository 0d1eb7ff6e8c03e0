"""Whether a child got anywhere: what a session and its worktree held before and after."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from samocode.pages.names import HISTORY, INBOX, ITERATION, LOGS, OVERVIEW, QA, SIGNAL, TASK
from samocode.record import files
from samocode.record.state import WorktreeStatus

NO_PROGRESS = frozenset({TASK, OVERVIEW, QA, ITERATION, LOGS, SIGNAL, HISTORY, INBOX})
"""What the loop writes, and what a child writes in every iteration: a change there is no
progress."""
MAX_DEPTH = 20  # folders below the session folder that count as progress; a child may nest for ever


def fingerprint(folder: Path, tree: Path | None, status: WorktreeStatus | None) -> str:
    """A hash of HEAD, tracked changes, and the stat of the worktree's untracked files and of the
    artifacts: equal before and after means that nothing was done."""
    found = [tree / name for name in status.untracked] if tree and status else []
    found += _artifacts(folder)
    parts = sorted(f"{path} {files.stamp(path)}" for path in found)
    parts.append(repr(status))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _artifacts(folder: Path) -> Iterator[Path]:
    """What stands in the session folder besides what changes anyway, a few folders deep."""
    for top, names, found in os.walk(folder):
        here = Path(top)
        if here == folder:
            names[:] = [name for name in names if name not in NO_PROGRESS]
            found = [name for name in found if name not in NO_PROGRESS]
        if len(here.relative_to(folder).parts) >= MAX_DEPTH:
            names.clear()
        yield from (here / name for name in (*names, *found))
