"""Whether a child got anywhere: what changed in its session and worktree since it began."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path
from typing import NamedTuple

from samocode.pages.names import HISTORY, INBOX, ITERATION, LOGS, OVERVIEW, QA, SIGNAL, TASK
from samocode.record import files
from samocode.record.state import WorktreeStatus

NO_PROGRESS = frozenset({TASK, OVERVIEW, QA, ITERATION, LOGS, SIGNAL, HISTORY, INBOX})
"""What the loop writes, and what a child writes in every iteration: a change there is no
progress."""
MAX_DEPTH = 20  # folders below the session folder that count as progress; a child may nest for ever


class Mark(NamedTuple):
    """The moment at which an iteration began."""

    code: WorktreeStatus | None
    """None without git."""
    clock: int
    """Nanoseconds by the clock of the session folder's file system."""


def mark(page: Path, status: WorktreeStatus | None) -> Mark:
    """The moment at which `page` was printed."""
    return Mark(status, page.lstat().st_ctime_ns)


def progress(folder: Path, tree: Path | None, before: Mark, now: WorktreeStatus | None) -> bool:
    """Whether anything was done since: HEAD, a tracked change, an untracked file of the worktree,
    or anything in the session folder besides what changes anyway."""
    if now != before.code:
        return True
    untracked = now.untracked if tree and now else ()
    files_changed = any(_is_newer(f"{tree}/{name}", before.clock) for name in untracked)
    return files_changed or _folder_changed(str(folder), before.clock, NO_PROGRESS, MAX_DEPTH)


def _folder_changed(folder: str, clock: int, less: Set[str], depth: int) -> bool:
    """The newest names first: what a child leaves has the time in its name, and of a thousand
    artifacts one is looked at."""
    try:
        names = sorted(set(os.listdir(folder)) - less, reverse=True)  # noqa: PTH208 - names
    except OSError:  # a child took the right to read it away
        return False
    paths = [f"{folder}/{name}" for name in names]
    if any(_is_newer(path, clock) for path in paths):
        return True
    folders = [path for path in paths if depth and files.is_folder(path)]
    return any(_folder_changed(path, clock, frozenset(), depth - 1) for path in folders)


def _is_newer(path: str, clock: int) -> bool:
    try:
        return os.lstat(path).st_ctime_ns >= clock
    except OSError:  # gone meanwhile
        return False
