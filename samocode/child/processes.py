"""Start commands, and end the whole process tree that they leave behind.

On Linux the loop is a subreaper (PR_SET_CHILD_SUBREAPER): every orphan becomes its child, and the
kernel reports when no child is left. Elsewhere, and after a killed loop, processes are found by the
run tag in their environment and by descent from a tagged process.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from samocode.child import process_table
from samocode.child.process_table import Process
from samocode.record import files
from samocode.record.exits import ExitCode, UserError
from samocode.settings.clone import RUN_TAG

TERM_GRACE = 5.0  # seconds between SIGTERM and SIGKILL
KILL_SECONDS = 10.0  # seconds to kill a tree that keeps forking
MAX_OUTPUT = 1 << 30  # bytes; the longest runs write some ten MB
LOOKS, LOOKS_FOR_ORPHANS = 2, 15  # scans; one can miss a process that forks or whose parent ends
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_reaper = False
_others: dict[int, subprocess.Popen[bytes] | None] = {}
"""Children that no iteration started: those of `run_beside`, which another thread waits for, and
(None) inherited ones, such as tee in `main.py > >(tee log)`, and those of another user."""


def become_reaper() -> None:
    """Adopt orphaned descendants (Linux). Call once, before the first spawn."""
    global _reaper
    if _libc and process_table.has_proc():
        _reaper = _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        if _reaper and reap():
            _others.update(dict.fromkeys(child.pid for child in _tree("")))


def spawn(
    command: Sequence[str], cwd: Path, environ: Mapping[str, str], tag: Path,
    stdin: IO[bytes] | int, stdout: IO[bytes], stderr: IO[bytes] | int,
) -> subprocess.Popen[bytes]:  # fmt: skip
    """Start a command in its own process session, tagged. It gets SIGTERM if the loop is killed."""
    leash = _leash()
    main = subprocess.Popen(
        command, cwd=cwd, env={**environ, RUN_TAG: str(tag)}, stdin=stdin, stdout=stdout,
        stderr=stderr, start_new_session=True, pass_fds=leash,
    )  # fmt: skip
    for end in leash:
        fcntl.fcntl(end, fcntl.F_SETOWN, -main.pid)  # its process group: it may be a wrapper
    return main


@functools.cache
def _leash() -> Sequence[int]:
    """Return the read end of a pipe, which each child inherits. Only the loop holds the write end.
    When the loop dies, the kernel sends SIGTERM to the owners of the pipe (Linux). PR_SET_PDEATHSIG
    would need code between fork and exec, which is unsafe with threads and slow."""
    if sys.platform != "linux":
        return ()
    end, _ = os.pipe()
    fcntl.fcntl(end, fcntl.F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)
    return (end,)


def reap(main: subprocess.Popen[bytes] | None = None) -> bool:
    """Reap ended children, and return whether any child may be left. Each is waited for by pid,
    because waiting for any child would take the exit code of `main`."""
    while _reaper:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        if dead is None:
            break
        known = main if main and dead.si_pid == main.pid else _others.get(dead.si_pid)
        if known:
            known.poll()
        else:
            os.waitpid(dead.si_pid, os.WNOHANG)
            _others.pop(dead.si_pid, None)
    return True


def has_children(pid: int) -> bool:
    """Whether a process has living children."""
    return any(process.parent == pid for process in process_table.read())


def end_tree(
    tag: Path, main: subprocess.Popen[bytes], grace: float = TERM_GRACE
) -> tuple[Process, ...]:
    """End `main` and all its descendants. Return the others that were still alive."""
    entry = "" if _reaper else f"{RUN_TAG}={tag}"
    found = _end(entry, math.inf if _reaper else LOOKS, lambda: reap(main), grace)
    try:
        main.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"Process {main.pid} runs as another user, or waits in the kernel: end it yourself.",
            exit_code=ExitCode.FAILED,
        ) from error
    return tuple(process for process in found if process.pid != main.pid)


def end_orphans(tag: Path, grace: float = TERM_GRACE) -> tuple[Process, ...]:
    """End the processes that a killed loop left. Return those that were still alive."""
    return _end(f"{RUN_TAG}={tag}", LOOKS_FOR_ORPHANS, lambda: True, grace)


def _end(entry: str, looks: float, left: Callable[[], bool], grace: float) -> tuple[Process, ...]:
    """Send SIGTERM, and SIGKILL after `grace` seconds, until no process is left. That is when
    `left` returns False, or `looks` scans in a row find nothing (LOOKS, if it is infinite and there
    are `_others`). Returns all processes that it could signal."""
    found: dict[int, Process] = {}
    began, empty = time.monotonic(), 0
    while (
        left()
        and empty < (LOOKS if _others and looks == math.inf else looks)
        and (passed := time.monotonic() - began) < grace + KILL_SECONDS
    ):
        empty += 1
        for process in _tree(entry):
            if passed > grace or process.pid not in found:
                try:
                    os.kill(process.pid, signal.SIGKILL if passed > grace else signal.SIGTERM)
                except ProcessLookupError:
                    pass
                except PermissionError:  # another user's, such as a service started by sudo
                    _others[process.pid] = None
                    continue
            empty = 0
            found.setdefault(process.pid, process)
        time.sleep(0.001 if passed > grace else 0.02)
    return tuple(found.values())


def _tree(entry: str) -> Iterator[Process]:
    """Yield the processes tagged with `entry` (if empty: our children) and their descendants."""
    me, members, others = os.getpid(), set[int](), list[Process]()
    for process in process_table.read(entry):
        if process.pid == me:
            continue
        if process.tagged if entry else process.parent == me and process.pid not in _others:
            members.add(process.pid)
            yield process
        else:
            others.append(process)
    while more := [p for p in others if p.parent in members and p.pid not in members]:
        members |= {process.pid for process in more}
        yield from more


def run_shell(
    command: str, cwd: Path, environ: Mapping[str, str], tag: Path, log: Path, limit: float,
    stopped: Callable[[], bool], wait: Callable[[float], None],
) -> int | None:  # fmt: skip
    """Run SETUP or VERIFY with /bin/sh. Return its exit code, None at a limit or a stop. `wait`
    sleeps at most the given seconds, less if a child ends."""
    with files.created(log) as out:
        shell, null = ["/bin/sh", "-c", command], subprocess.DEVNULL
        main = spawn(shell, cwd, environ, tag, null, out, subprocess.STDOUT)
        until = time.monotonic() + limit
        try:
            while main.poll() is None and time.monotonic() < until and not stopped():
                if os.fstat(out.fileno()).st_size > MAX_OUTPUT:
                    break
                wait(min(limit, 1.0))
            return main.returncode
        finally:
            end_tree(tag, main)


def run_beside(command: str, environ: Mapping[str, str], data: bytes, limit: float) -> str | None:
    """Run a shell command beside the loop, with `data` on its stdin, for at most `limit` seconds.
    Return what went wrong. Called in another thread. The end of an iteration does not end it."""
    with subprocess.Popen(
        ["/bin/sh", "-c", command], env=environ, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as main:  # fmt: skip
        _others[main.pid] = main
        try:
            _, said = main.communicate(data, limit)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(main.pid, signal.SIGKILL)
            return f"it ran longer than {limit:.0f} seconds"
        finally:
            _others.pop(main.pid, None)
    last = " ".join(said.decode("utf-8", "replace").split())[-200:]
    return f"exit code {main.returncode}: {last}".rstrip(": ") if main.returncode else None
