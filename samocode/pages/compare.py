"""Whether an iteration made progress: what changed in its session folder and worktree."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path
from typing import NamedTuple

from samocode.pages.names import (
    HISTORY,
    INBOX,
    ITERATION,
    LOGS,
    OVERVIEW,
    QA,
    REPORT,
    SIGNAL,
    TASK,
)
from samocode.record import files
from samocode.record.state import WorktreeStatus

NO_PROGRESS = frozenset({TASK, OVERVIEW, QA, ITERATION, LOGS, SIGNAL, HISTORY, INBOX, REPORT})
"""Files that the loop or every child writes. Changes to them do not count as progress."""
MAX_DEPTH = 20  # of the folder search; a child may nest folders without limit


class Mark(NamedTuple):
    """The state at the start of an iteration."""

    code: WorktreeStatus | None
    """None without git."""
    clock: int
    """ctime in nanoseconds, by the clock of the session folder's file system."""
    names: Set[str] = frozenset()
    """What the session folder held: a removed artifact is progress, too."""
    page: str = ""
    """The text of `_iteration.json`."""


def mark(folder: Path, status: WorktreeStatus | None, page: str) -> Mark:
    """Take the time from `_iteration.json`, which was just printed as `page`."""
    clock = (folder / ITERATION).lstat().st_ctime_ns
    return Mark(status, clock, _names(str(folder)) - NO_PROGRESS, page)


def progress(folder: Path, tree: Path | None, before: Mark, now: WorktreeStatus | None) -> bool:
    """Whether HEAD, a tracked or untracked file, or another file of the session folder changed."""
    names = _names(str(folder)) - NO_PROGRESS
    if now != before.code or names != before.names:
        return True
    untracked = now.untracked if tree and now else ()
    files_changed = any(_is_newer(f"{tree}/{name}", before.clock) for name in untracked)
    return files_changed or _any_newer(str(folder), names, before.clock, MAX_DEPTH)


def _any_newer(folder: str, names: Set[str], clock: int, depth: int) -> bool:
    """Whether any of these, or anything in them, is newer than `clock`. Artifact names begin with a
    date, so in reverse order the new ones come first."""
    paths = [f"{folder}/{name}" for name in sorted(names, reverse=True)]
    if any(_is_newer(path, clock) for path in paths):
        return True
    folders = [path for path in paths if depth and files.is_folder(path)]
    return any(_any_newer(path, _names(path), clock, depth - 1) for path in folders)


def _names(folder: str) -> Set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names only
    except OSError:  # a child may have made it unreadable
        return frozenset()


def _is_newer(path: str, clock: int) -> bool:
    found = files.stamp(path)
    return found is not None and found[-1] >= clock
