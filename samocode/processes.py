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
LOOKS = 20  # at the process table, 10 ms apart, until nothing of a killed loop's is taken to live
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None
_reaper = False


@dataclass(frozen=True)
class Process:
    """A process as a person would name it in a report."""

    pid: int
    command: str
    group: int

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
        _kill((*quick, *alive))
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
    rows = [row for child in listed.split() if (row := _proc_row(int(child)))]
    return [Process(row.pid, row.name, row.group) for row in rows if not row.zombie]


def reap(main: subprocess.Popen[bytes] | None = None) -> None:
    """Collect adopted orphans that ended, each by its pid: waiting for any would steal the exit
    code of `main`."""
    for row, _ in _table() if _reaper else ():
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
    for group in {process.group for process in processes} - {0, 1, os.getpgrp()}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _alive(mark: Path, main: subprocess.Popen[bytes] | None) -> list[Process]:
    """What lives. Parentage shows all that is ours; a killed loop's are shown by their mark alone,
    and one look can miss what forks."""
    for _ in range(1 if main else LOOKS):
        if main:
            main.poll()
        reap(main)
        if found := _members(mark):
            return found
        time.sleep(0 if main else 0.01)
    return []


@dataclass(frozen=True)
class _Row:
    """One living or dead process of the system's table."""

    pid: int
    parent: int
    group: int
    zombie: bool
    name: str


def _members(mark: Path) -> list[Process]:
    """Living processes that carry the mark, that we are the reaper of, or that descend from one of
    these."""
    table = [pair for pair in _table(f"{MARK}={mark}") if not pair[0].zombie]
    rows = {row.pid: row for row, _ in table if row.pid != os.getpid()}
    members = {row.pid for row, marked in table if marked and row.pid in rows}
    if _reaper:
        members |= {row.pid for row in rows.values() if row.parent == os.getpid()}
    while more := {row.pid for row in rows.values() if row.parent in members} - members:
        members |= more
    return [Process(pid, rows[pid].name, rows[pid].group) for pid in sorted(members)]


def _table(entry: str = "") -> Iterator[tuple[_Row, bool]]:
    """Every process, and whether `entry` stands in its environment; the newest first, since those
    are gone soonest."""
    if not _LINUX:
        yield from ((row, f" {entry} " in f" {text} ") for row, text in _ps_rows())
        return
    wanted = entry.encode("utf-8", "surrogateescape")
    names = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names
    for pid in sorted(map(int, names), reverse=True):
        if row := _proc_row(pid):
            yield row, bool(entry) and wanted in _environment(pid)


def _environment(pid: int) -> list[bytes]:
    """What a process got at its start; empty for other people's processes."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _proc_row(pid: int) -> _Row | None:
    try:
        head, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
    except OSError:
        return None
    state, parent, group = rest.split()[:3]
    return _Row(pid, int(parent), int(group), state in "ZX", head.partition("(")[2])


def _ps_rows() -> Iterator[tuple[_Row, str]]:
    """The table by ps(1), with each process's command and environment as text (macOS shows our own
    only)."""
    answer = subprocess.run(
        ["ps", "-A", "-E", "-ww", "-o", "pid=,ppid=,pgid=,state=,command="],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    for line in answer.stdout.splitlines():
        pid, parent, group, state, command = [*line.split(None, 4), *[""] * 5][:5]
        if pid.isdigit() and parent.isdigit() and group.isdigit():
            name = Path(command.split(" ", 1)[0]).name
            row = _Row(int(pid), int(parent), int(group), state.startswith("Z"), name)
            yield row, command
