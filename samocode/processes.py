"""Own the whole process tree of what the loop starts, and end it: detached, deaf to SIGTERM, or
forking.

Linux: the loop is the reaper of its orphans (PR_SET_CHILD_SUBREAPER), so every descendant is found
by parentage; a mark in the environment finds those that a killed loop left behind. Elsewhere only
the mark and the parentage that `ps` shows are there, and a process that hides both stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MARK = "SAMOCODE_RUN"
"""Environment variable that every process of a session inherits; its value is the session
folder."""
TERM_GRACE = 5.0  # seconds between SIGTERM and SIGKILL
KILL_SECONDS = 10.0  # a tree that forks while it is killed is followed for so long
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None
_reaper = False


@dataclass(frozen=True)
class Process:
    """A process as a person would name it in a report."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.pid} {self.command}"


def become_reaper() -> None:
    """Let orphans of our children become ours (Linux); call once, before the first spawn."""
    global _reaper
    if _libc is not None:
        _reaper = _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


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
        env={**environ, MARK: str(mark)},
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
    until = time.monotonic() + grace
    while (alive := _alive(mark, main)) and time.monotonic() < until:
        new = [p for p in alive if p.pid not in found]
        _signal_all(new, signal.SIGTERM)
        found.update((p.pid, p) for p in new)
        time.sleep(0.05)
    until = time.monotonic() + KILL_SECONDS
    while ((alive := _alive(mark, main)) or _has_children()) and time.monotonic() < until:
        quick = _direct_children()  # a chain of forks lives by being faster than the table
        found.update((p.pid, p) for p in (*alive, *quick))
        _signal_all((*quick, *alive), signal.SIGKILL)
        time.sleep(0.001)
    if main:
        main.wait()
    return tuple(p for p in found.values() if main is None or p.pid != main.pid)


def _has_children() -> bool:
    """The kernel's own word: a chain of forks can slip past any look at the process table."""
    if not _reaper:
        return False
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
    rows = [row for child in listed.split() if (row := _proc_row(child))]
    return [Process(row.pid, row.name) for row in rows if not row.zombie]


def reap(main: subprocess.Popen[bytes] | None = None) -> None:
    """Collect adopted orphans that ended, each by its pid: waiting for any would steal the exit
    code of `main`."""
    for row in _table() if _reaper else ():
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


def _alive(mark: Path, main: subprocess.Popen[bytes] | None) -> list[Process]:
    if main:
        main.poll()
    reap(main)
    return _members(mark)


@dataclass(frozen=True)
class _Row:
    """One living or dead process of the system's table."""

    pid: int
    parent: int
    zombie: bool
    name: str


def _members(mark: Path) -> list[Process]:
    """Living processes that carry the mark, that we are the reaper of, or that descend from one of
    these."""
    rows = {row.pid: row for row in _table() if not row.zombie and row.pid != os.getpid()}
    members = _marked(rows, f"{MARK}={mark}")
    if _reaper:
        members |= {row.pid for row in rows.values() if row.parent == os.getpid()}
    while more := {row.pid for row in rows.values() if row.parent in members} - members:
        members |= more
    return [Process(pid, rows[pid].name) for pid in sorted(members)]


def _table() -> list[_Row]:
    return _proc_rows() if _LINUX else [row for row, _ in _ps_rows()]


def _marked(rows: Mapping[int, _Row], entry: str) -> set[int]:
    if not _LINUX:
        return {
            row.pid for row, text in _ps_rows() if row.pid in rows and f" {entry}" in f"{text} "
        }
    return {pid for pid in rows if entry.encode("utf-8", "surrogateescape") in _environment(pid)}


def _environment(pid: int) -> list[bytes]:
    """What a process got at its start; empty for other people's processes."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _proc_row(pid: str) -> _Row | None:
    try:
        head, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
    except OSError:
        return None
    state, parent = rest.split()[:2]
    return _Row(int(pid), int(parent), state in "ZX", head.partition("(")[2])


def _proc_rows() -> list[_Row]:
    names = os.listdir("/proc")  # noqa: PTH208 - names, not paths
    return [row for name in names if name.isdigit() and (row := _proc_row(name))]


def _ps_rows() -> Iterator[tuple[_Row, str]]:
    """The table by ps(1), with each process's command and environment as text (macOS shows our own
    only)."""
    answer = subprocess.run(
        ["ps", "-A", "-E", "-ww", "-o", "pid=,ppid=,state=,command="],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    for line in answer.stdout.splitlines():
        pid, parent, state, command = [*line.split(None, 3), "", "", "", ""][:4]
        if pid.isdigit() and parent.isdigit():
            name = Path(command.split(" ", 1)[0]).name
            yield _Row(int(pid), int(parent), state.startswith("Z"), name), command
