"""What stood in a session before a child ran: to put right what it must not change, and to tell
whether it got anywhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samocode import files, history, signals
from samocode.git import State
from samocode.session import ITERATION, LOCK, LOGS, OVERVIEW, TASK, Session

NO_PROGRESS = frozenset({TASK, OVERVIEW, ITERATION, LOCK, LOGS, signals.FILE, history.FILE})
"""What the loop writes, and what a child writes in every iteration: a change there is no
progress."""
MAX_DEPTH = 20  # folders below the session folder that count as progress; a child may nest for ever


@dataclass(frozen=True)
class Snapshot:
    """What only the loop or the human may write, as it stood when a child was started."""

    history: bytes
    task: bytes
    questions: str
    print: str


def take(session: Session) -> Snapshot:
    """Keep in memory what a child must not change."""
    return Snapshot(
        history=session.history.path.read_bytes(),
        task=(session.folder / TASK).read_bytes(),
        questions=session.read_questions().text(),
        print=fingerprint(session, session.code(), session.untracked()),
    )


def put_right(session: Session, before: Snapshot) -> tuple[str, ...]:
    """Restore history and task if they differ, the other version kept beside; their names."""
    changed: list[str] = []
    session.folder.mkdir(mode=0o700, exist_ok=True)
    kept = ((session.history.path, before.history), (session.folder / TASK, before.task))
    for path, data in kept:
        if files.read_any(path) != data:
            files.keep(path)
            files.write_bytes(path, data)
            changed.append(path.name)
    return tuple(changed)


def fingerprint(session: Session, code: State | None, untracked: tuple[str, ...]) -> str:
    """A hash of HEAD, changes, untracked files and artifacts: equal before and after means nothing
    was done. `code` and `untracked` are what the session says of them."""
    parts = [repr(code)]
    if session.worktree:
        tree = session.worktree.path
        parts += [_stat(tree / name, tree) for name in untracked]
    parts += sorted(_artifacts(session.folder))
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
