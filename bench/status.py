"""Measure --status for many sessions, compared with only reading their histories.

python bench/status.py [SESSIONS [LINES]]     (1000, 60)
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from samocode.record import files
from samocode.record.history import History
from samocode.show.row import rows

MAIN = Path(__file__).resolve().parents[1] / "main.py"
DIRTY = {f"src/module_{n}/file.py": f"100644 . {n:040x}" for n in range(4)}


def session(folder: Path, lines: int) -> None:
    """A history as a run leaves it: begin and iteration, again and again."""
    folder.mkdir()
    history = History(folder / "_history.jsonl")
    history.append("session", v=2, name=folder.name, place=".", path=str(folder), branch="b",
        base="main", commit="0" * 40)  # fmt: skip
    history.append("task", kind="task", text="Add JWT login. " * 20)
    history.append("start", pid=1, version="0.2.0", model="opus")
    for n in range(1, (lines - 4) // 2 + 1):
        log = f"{n:03d}-01-08-1000-testing.jsonl"
        history.append("begin", n=n, phase="testing", log=log, timeout=1800.0, head="0" * 40,
            dirty=DIRTY)  # fmt: skip
        history.append(
            "iteration", n=n, phase="testing", outcome="continue", next="testing", heard=True,
            signal="continue", head="0" * 40, cost_usd=0.31, tokens=123456, seconds=312.5, exit=0,
            ended="itself", session_id="0" * 36, log=log, progress=True,
            note="The checks pass; two findings of the review are left. " * 3,
            init={"model": "opus", "mode": "bypassPermissions", "key_source": "none"},
        )  # fmt: skip
    history.append("stop", exit=5, why="Limit reached: 100 iterations")


def fastest(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of some tries."""
    found: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def main() -> None:
    """Make the sessions, and measure."""
    given = [int(text) for text in sys.argv[1:]]
    count, lines = (given + [1000, 60][len(given) :])[:2]
    os.fsync = lambda fd: None
    with tempfile.TemporaryDirectory() as place:
        project, parent = Path(place), Path(place, "sessions")
        parent.mkdir()
        for n in range(count):
            session(parent / f"26-01-08-work-{n}", lines)
        found = sorted(parent.glob("*/_history.jsonl"))
        (project / ".samocode").write_text("MAIN_REPO=.\nWORKTREES=trees\nSESSIONS=sessions\n")
        command = [sys.executable, str(MAIN), "--status"]
        environ = {**os.environ, "COLUMNS": "120"}
        read = fastest(lambda: [files.read(path, 1 << 28) for path in found])
        table = fastest(lambda: rows(parent))
        run = fastest(lambda: subprocess.run(
            command, cwd=project, env=environ, stdout=subprocess.DEVNULL, check=True))  # fmt: skip
        size = sum(path.stat().st_size for path in found)
    print(f"{count} sessions of {lines} lines, {size / 1e6:.0f} MB")
    print(f"read all histories   {read:6.3f} s")
    measured = {"rows of --status": table, "main.py --status": run}
    for name, seconds in measured.items():
        print(f"{name:20} {seconds:6.3f} s   {seconds / read:5.1f} times as long")


if __name__ == "__main__":
    main()
