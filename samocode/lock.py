"""The lock of a session: one loop at a time. The lock file is in SESSIONS/.locks, outside
of all session folders, and is never removed. The kernel releases the lock when the process ends."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from samocode.child.process_table import has_proc
from samocode.record import files
from samocode.record.exits import UserError
from samocode.record.history import local_now
from samocode.record.untrusted import mapping, parse

LOCKS = ".locks"
TRIES, PAUSE = 3, 0.1  # `is_running` holds the lock for an instant


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


def signal_holder(folder: Path, number: int) -> int:
    """Send a signal to the loop that runs the session, and return its pid. UserError if no loop
    runs it, or if its process cannot be signalled from here."""
    if not is_running(folder):
        raise UserError(f"No loop runs {folder.name}: there is nothing to stop.")
    found = mapping(parse(files.read_any(_place(folder))))
    pid, host = found.get("pid"), found.get("host")
    if host != os.uname().nodename:
        raise UserError(f"{folder.name} runs on another machine ({holder(folder)}): stop it there.")
    if not isinstance(pid, int) or not _holds(pid, _place(folder)):
        raise UserError(
            f"{folder.name} is running, but its process cannot be signalled from here "
            f"({holder(folder)}): stop it where it was started."
        )
    os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)  # Ctrl-Z may have suspended it
    return pid


def _holds(pid: int, place: Path) -> bool:
    """Whether the kernel reports that the process holds the lock. The pid in the file may have been
    reused, or be that of another container. Without /proc (macOS) the file is trusted."""
    if not has_proc():
        return pid > 0
    own = Path("/proc", str(pid))
    try:
        lock, fds = place.stat(), [path.name for path in (own / "fd").iterdir()]
        found = [fd for fd in fds if os.path.samestat((own / "fd" / fd).stat(), lock)]
        return any("FLOCK" in (own / "fdinfo" / fd).read_text() for fd in found)
    except OSError:  # gone, or another user's
        return False


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
