"""What a session held before a child ran: to restore what the child must not change, and to tell
whether it got anywhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from samocode.pages.names import HISTORY, ITERATION, LOCK, LOGS, OVERVIEW, SIGNAL, TASK
from samocode.pages.qa_file import QaFile
from samocode.record import files
from samocode.record.state import WorktreeStatus

NO_PROGRESS = frozenset({TASK, OVERVIEW, ITERATION, LOCK, LOGS, SIGNAL, HISTORY})
"""What the loop writes, and what a child writes in every iteration: a change there is no
progress."""
MAX_DEPTH = 20  # folders below the session folder that count as progress; a child may nest for ever


class Snapshot(NamedTuple):
    """What only the loop or the human may write, as it was when a child was started."""

    history: bytes
    task: bytes
    questions: str
    fingerprint: str


def take(folder: Path, fingerprint: str) -> Snapshot:
    """Keep in memory what a child must not change."""
    return Snapshot(
        history=(folder / HISTORY).read_bytes(),
        task=(folder / TASK).read_bytes(),
        questions=QaFile(folder).read().text(),
        fingerprint=fingerprint,
    )


def put_back(folder: Path, before: Snapshot) -> tuple[str, ...]:
    """Restore history and task where they differ, the other version kept beside; their names."""
    changed: list[str] = []
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, data in ((HISTORY, before.history), (TASK, before.task)):
        if files.read_any(folder / name) != data:
            files.keep(folder / name)
            files.write_bytes(folder / name, data)
            changed.append(name)
    return tuple(changed)


def fingerprint(
    folder: Path, tree: Path | None, status: WorktreeStatus | None, untracked: tuple[str, ...]
) -> str:
    """A hash of HEAD, tracked changes, the worktree's untracked files and the artifacts: equal
    before and after means that nothing was done."""
    parts = [repr(status)]
    if tree:
        parts += [_stat(tree / name, tree) for name in untracked]
    parts += sorted(_artifacts(folder))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _artifacts(folder: Path) -> Iterator[str]:
    """What stands in the session folder besides what changes anyway, a few folders deep."""
    for top, names, found in os.walk(folder):
        here = Path(top)
        if here == folder:
            names[:] = [name for name in names if name not in NO_PROGRESS]
            found = [name for name in found if name not in NO_PROGRESS]
        if len(here.relative_to(folder).parts) >= MAX_DEPTH:
            names.clear()
        yield from (_stat(here / name, folder) for name in (*names, *found))


def _stat(path: Path, top: Path) -> str:
    try:
        status = path.lstat()
    except OSError:
        return f"{path.relative_to(top)} gone"
    return f"{path.relative_to(top)} {status.st_size} {status.st_mtime_ns}"
