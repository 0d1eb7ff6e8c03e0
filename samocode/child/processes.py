"""Own the whole process tree of what the loop starts, and end it: detached, deaf to SIGTERM, or
forking.

Linux: the loop is the reaper of its orphans (PR_SET_CHILD_SUBREAPER), so every descendant is found
by parentage; a mark in the environment finds those that a killed loop left behind, and their
process group those that fork faster than one can look. Elsewhere only the mark and the parentage
that `ps` shows are there, and a process that hides both stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from samocode.child import process_table
from samocode.settings.clone import RUN_TAG

TERM_GRACE = 5.0  # seconds between SIGTERM and SIGKILL
KILL_SECONDS = 10.0  # a tree that forks while it is killed is followed for so long
LOOKS, LOOK_SECONDS = 5, 0.3  # at least, until nothing of a killed loop's is taken to live
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True) if process_table.LINUX else None
_reaper = False
_inherited: frozenset[int] = frozenset()
"""Children from before this program: a shell that became it leaves it its own (`> >(tee log)`)."""


@dataclass(frozen=True)
class Process:
    """A process as a person would name it in a report."""

    pid: int
    command: str
    group: int
    """Its process group; 0 when somebody else is in it too, or it is not known."""

    def __str__(self) -> str:
        return f"{self.pid} {self.command}"


def become_reaper() -> None:
    """Let orphans of our children become ours (Linux); call once, before the first spawn. Children
    that are there already are somebody else's, and are left alone."""
    global _reaper, _inherited
    if _libc is not None:
        _reaper = _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        mine = [row for row in process_table.read() if row.parent == os.getpid()]
        _inherited = frozenset(row.pid for row in mine if not row.zombie)


def spawn(
    command: Sequence[str],
    cwd: Path,
    environ: Mapping[str, str],
    mark: Path,
    stdin: IO[bytes] | int,
    stdout: IO[bytes],
    stderr: IO[bytes] | int,
) -> subprocess.Popen[bytes]:
    """Start a command in a process session of its own, marked, and told to end (SIGTERM) should the
    loop be killed."""
    parent = os.getpid()

    def before_exec() -> None:
        # The loop's own handler is still here and would swallow the SIGTERM of its death.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:  # the loop died before the line above
                os._exit(1)

    return subprocess.Popen(
        command,
        cwd=cwd,
        env={**environ, RUN_TAG: str(mark)},
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=before_exec,
    )


def end_tree(
    mark: Path, main: subprocess.Popen[bytes] | None = None, grace: float = TERM_GRACE
) -> tuple[Process, ...]:
    """End every process of this session: SIGTERM, `grace` seconds, SIGKILL until none is left.

    Returns what was still alive besides `main`, the process that was spawned.
    """
    found: dict[int, Process] = {}
    if main is None and not _looked_for(mark, main):
        return ()
    until = time.monotonic() + grace
    while ((alive := _alive(mark, main)) or _has_children()) and time.monotonic() < until:
        new = [p for p in alive if p.pid not in found]
        _signal_all(new, signal.SIGTERM)
        found.update((p.pid, p) for p in new)
        time.sleep(0.05)
    until = time.monotonic() + KILL_SECONDS
    while ((alive := _looked_for(mark, main)) or _has_children()) and time.monotonic() < until:
        quick = _direct_children()  # a chain of forks lives by being faster than the table
        found.update((p.pid, p) for p in (*quick, *alive))
        _kill((*quick, *alive))
        time.sleep(0.001)
    if main:
        main.wait()
    return tuple(p for p in found.values() if main is None or p.pid != main.pid)


def _has_children() -> bool:
    """The kernel's own word: a chain of forks can slip past any look at the process table."""
    if not _reaper:
        return False
    if _inherited:  # its word would be about those too
        return bool(_direct_children())
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _direct_children() -> list[Process]:
    """Our living children by the shortest way; none where the kernel does not list them."""
    pid = os.getpid()
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text() if _reaper else ""
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return []
    rows = [row for child in listed.split() if (row := process_table.proc_row(int(child)))]
    return [
        Process(row.pid, row.name, 0)
        for row in rows
        if not row.zombie and row.pid not in _inherited
    ]


def reap(main: subprocess.Popen[bytes] | None = None) -> None:
    """Collect adopted orphans that ended, each by its pid: waiting for any would steal the exit
    code of `main`."""
    if _reaper:
        _reap(process_table.read(), main)


def _reap(rows: Iterable[process_table.Row], main: subprocess.Popen[bytes] | None) -> None:
    for row in rows:
        if row.zombie and row.parent == os.getpid() and (main is None or row.pid != main.pid):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(row.pid, os.WNOHANG)


def run_shell(
    command: str,
    cwd: Path,
    environ: Mapping[str, str],
    mark: Path,
    log: Path,
    limit: float,
    stopped: Callable[[], bool],
) -> int | None:
    """Run the user's SETUP or VERIFY by /bin/sh, output into `log`; its exit code, None at the
    limit or a stop."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as out:
        main = spawn(
            ["/bin/sh", "-c", command],
            cwd,
            environ,
            mark,
            subprocess.DEVNULL,
            out,
            subprocess.STDOUT,
        )
        until = time.monotonic() + limit
        try:
            while main.poll() is None and time.monotonic() < until and not stopped():
                time.sleep(0.05)
            return main.returncode
        finally:
            end_tree(mark, main)


def _signal_all(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def _kill(processes: Sequence[Process]) -> None:
    """By group too: a chain of forks may be gone from where it was seen, but shares one."""
    _signal_all(processes, signal.SIGKILL)
    for group in {process.group for process in processes} - {os.getpgrp()}:
        if group > 1:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)


def _looked_for(mark: Path, main: subprocess.Popen[bytes] | None) -> list[Process]:
    """What lives, by one look where parentage shows all that is ours. A killed loop's are shown by
    their mark alone, and a look can miss what forks: there nothing is believed after several."""
    looks, until = 0, time.monotonic() + LOOK_SECONDS
    while not (alive := _alive(mark, main)) and main is None:
        looks += 1
        if looks >= LOOKS and time.monotonic() > until:
            break
        time.sleep(0.01)
    return alive


def _alive(mark: Path, main: subprocess.Popen[bytes] | None) -> list[Process]:
    """One look: the dead are collected, the living named."""
    if main:
        main.poll()
    rows = list(process_table.read(f"{RUN_TAG}={mark}"))
    if _reaper:
        _reap(rows, main)
    return _members(rows)


def _members(table: Iterable[process_table.Row]) -> list[Process]:
    """Living processes that carry the mark, that we are the reaper of, or that descend from one of
    these."""
    global _inherited
    me = os.getpid()
    rows = {row.pid: row for row in table if not row.zombie}
    _inherited &= {pid for pid, row in rows.items() if row.parent == me}
    ours = {pid: row for pid, row in rows.items() if pid != me and pid not in _inherited}
    members = {pid for pid, row in ours.items() if row.marked or (_reaper and row.parent == me)}
    while more := {pid for pid, row in ours.items() if row.parent in members} - members:
        members |= more
    shared = {row.group for pid, row in rows.items() if pid not in members and not row.ending}
    return [
        Process(pid, ours[pid].name, 0 if ours[pid].group in shared else ours[pid].group)
        for pid in sorted(members)
    ]
