"""python dying.py K HOW FILE PYTHON PROGRAM ARG...: run PROGRAM and kill it at an append to FILE.

It dies at its K-th fsync of FILE. HOW is `after` (after the fsync), `lost` (before it, and the line
is lost) or `torn` (before it, and half the line is lost).
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

left, how, file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
real_fsync = os.fsync


def fsync(fd: Any) -> None:
    """os.fsync, which kills the process at the chosen call."""
    global left
    number = fd if isinstance(fd, int) else fd.fileno()
    path = Path(f"/proc/self/fd/{number}").resolve()
    left -= path.name == file
    if left or path.name != file:
        return real_fsync(fd)
    data = path.read_bytes()
    line = data.rstrip(b"\n").rfind(b"\n") + 1
    keeps = {"after": len(data), "lost": line, "torn": (line + len(data)) // 2}
    os.truncate(path, keeps[how])
    real_fsync(fd)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    os.fsync = fsync
    sys.argv = sys.argv[5:]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
