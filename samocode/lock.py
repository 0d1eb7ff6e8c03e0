"""The lock of a session: one loop at a time. The lock file is in SESSIONS/.locks, out of a child's
reach, and is never removed. The kernel releases the lock when the process ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from samocode.record import files
from samocode.record.exits import UserError
from samocode.record.history import local_now
from samocode.record.untrusted import mapping, parse

LOCKS = ".locks"
TRIES, PAUSE = 3, 0.1  # `is_held` and `is_running` hold the lock for an instant


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the lock. UserError if another loop holds it."""
    with _opened(folder) as fd:
        if not _take(fd):
            raise UserError(f"Session {folder.name} is running already: {holder(folder)}.")
        since = local_now().isoformat(timespec="seconds")
        held = {"pid": os.getpid(), "host": os.uname().nodename, "since": since}
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(held).encode() + b"\n", 0)
        yield


def is_held(folder: Path) -> bool:
    """Whether a loop holds the lock, after several tries."""
    with _opened(folder) as fd:
        return not _take(fd)


def is_running(folder: Path) -> bool:
    """Whether a loop holds the lock now. Takes only a shared lock, for an instant."""
    if not _place(folder).exists():
        return False
    with _opened(folder) as fd:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def holder(folder: Path) -> str:
    """Describe the process that holds the lock."""
    found = mapping(parse(files.read_any(_place(folder))))
    if not found:
        return f"{_place(folder)} does not name the process"
    return f"pid {found.get('pid')} on {found.get('host')} since {found.get('since')}"


def _place(folder: Path) -> Path:
    return folder.parent / LOCKS / folder.name


@contextmanager
def _opened(folder: Path) -> Generator[int]:
    place = _place(folder)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    # O_RDWR: network file systems lock only files opened for writing
    fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _take(fd: int) -> bool:
    for _ in range(TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE)
        else:
            return True
    return False
