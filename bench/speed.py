#!/usr/bin/env python3
"""Measure the loop, as ratios to a reference that runs alternately on the same machine.

    python bench/speed.py                     every row (about ten minutes on an idle machine)
    python bench/speed.py --only hook,help    some rows
    python bench/speed.py --rounds 7          more rounds; the minimum counts

The child is bench/stub.c, compiled here. CPU is the user and system time of a program and its
children. The reference for an iteration is the simplest shell loop that does the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable]
MAIN = [*PYTHON, str(ROOT / "main.py")]
MB = 1 << 20


class Spent(NamedTuple):
    """Use of one program: wall clock and CPU time in seconds, and peak memory in MB."""

    wall: float
    cpu: float
    memory: float

    def __sub__(self, other: object) -> Spent:
        if not isinstance(other, Spent):
            return NotImplemented
        return Spent(self.wall - other.wall, self.cpu - other.cpu, self.memory)

    def each(self, count: int) -> Spent:
        """Divide the times by `count`."""
        return Spent(self.wall / count, self.cpu / count, self.memory)


def measure(
    words: list[str], cwd: Path, environ: Mapping[str, str], out: Path | None = None, ok: int = 0
) -> Spent:
    """Run a program to its end. It must exit with `ok`."""
    began = time.monotonic()
    with (out or Path(os.devnull)).open("wb") as file, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(words, cwd=cwd, env=environ, stdout=file, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != ok:
            errors.seek(0)
            sys.exit(f"{words} ended with {process.returncode}: {errors.read()[-2000:]!r}")
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


class Place:
    """A folder with a project, a stub for claude, and a separate environment."""

    def __init__(self, folder: Path, stub: Path, files: int = 200, git: bool = True) -> None:
        self.folder, self.repo, self.stub, self.git = folder, folder / "repo", stub, git
        home = folder / "home"
        for path in (self.repo, home, folder / "sessions", folder / "worktrees"):
            path.mkdir(parents=True)
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPYCACHEPREFIX": str(folder / "pyc"),
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home / ".claude"),
            "CLAUDE_PATH": str(stub),
            "CLAUDE_PERMISSION_MODE": "acceptEdits",
            "CLAUDE_ARGS": "--allowedTools Bash",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            **{f"GIT_{who}_{what}": "bench@localhost"
               for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        (self.repo / ".samocode").write_text(
            "MAIN_REPO=.\nWORKTREES=../worktrees\nSESSIONS=../sessions\n"
        )
        for number in range(files):
            path = self.repo / f"d{number // 100}" / f"f{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{number}\n" * 20)
        if git:
            for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Start"]):
                subprocess.run(["git", *words], cwd=self.repo, env=self.environ, check=True)
            time.sleep(1.1)
            subprocess.run(
                ["git", "status", "--short"], cwd=self.repo, env=self.environ, check=True
            )

        subprocess.run(
            [*MAIN, "--version"], env=self.environ, check=True, stdout=subprocess.DEVNULL
        )
        self.run("warm", 1)  # compiles the modules

    def session(self, name: str) -> Path:
        """Return the folder of a session."""
        (found,) = (self.folder / "sessions").glob(f"*-{name}")
        return found

    def session_tree(self, name: str) -> Path:
        """Return the worktree of a session."""
        return self.folder / "worktrees" / self.session(name).name

    def run(
        self, name: str, iterations: int, ok: int = 5, task: str = "t", **environ: str
    ) -> Spent:
        """Run iterations of a session, which is created if it is new."""
        words = [*MAIN, "--session", name, "--max-iterations", str(iterations), "--on-wait", "exit"]
        new = not list((self.folder / "sessions").glob(f"*-{name}"))
        words += ["--task", task] if new else []
        return measure(words, self.repo, {**self.environ, **environ}, ok=ok)

    def shell(self, iterations: int, git: bool) -> Spent:
        """Run the simplest shell loop that does the same."""
        session = self.folder / "plain"
        session.mkdir(exist_ok=True)
        look = "git status --porcelain >/dev/null;" if git else ""
        script = f"""i=0
while [ $i -lt {iterations} ]; do
  rm -f {session}/_signal.json; {look}
  {self.stub} --add-dir {session} </dev/null >{session}/log 2>{session}/err || exit 1
  {look} read -r signal <{session}/_signal.json
  case $signal in *continue*) ;; *) exit 1 ;; esac
  i=$((i+1))
done"""
        return measure(["/bin/sh", "-c", script], self.repo, self.environ)


def best(found: list[Spent]) -> Spent:
    """Return the minimum of each column. Larger values include the load of other programs."""
    return Spent(*(min(column) for column in zip(*found, strict=True)))


def ratio(name: str, ours: Spent, reference: Spent) -> str:
    """Format one row of the table."""
    cpu, wall = ours.cpu / max(reference.cpu, 1e-9), ours.wall / max(reference.wall, 1e-9)
    return (
        f"{name:44} CPU {ours.cpu * 1000:8.1f} ms = {cpu:5.1f} x,"
        f" wall {ours.wall * 1000:8.1f} ms = {wall:5.1f} x"
    )


def iterations(place: Place, rounds: int) -> tuple[Spent, Spent]:
    """Return the costs of one iteration, of the loop and of the shell loop. Each is the difference
    between a long and a short run."""
    few, many = 10, 60
    rows: list[list[Spent]] = [[], [], [], []]
    for number in range(3 * rounds):
        rows[0].append(place.run(f"few{number}", few))
        rows[1].append(place.run(f"many{number}", many))
        rows[2].append(place.shell(few, place.git))
        rows[3].append(place.shell(many, place.git))
    ours_few, ours, plain_few, plain = map(best, rows)
    count = many - few
    return (ours - ours_few).each(count), (plain - plain_few).each(count)


def bare(place: Place, rounds: int, words: list[str], ok: int) -> tuple[Spent, Spent]:
    """Measure a short program and `python -c pass` alternately."""
    ours, plain = list[Spent](), list[Spent]()
    for _ in range(rounds * 3):
        ours.append(measure(words, place.repo, place.environ, ok=ok))
        plain.append(measure([*PYTHON, "-c", "pass"], place.repo, place.environ))
    return best(ours), best(plain)


def two_fsyncs(folder: Path, rounds: int) -> Spent:
    """Return the cost of two fsyncs, as an iteration needs for its history lines."""
    count, found = 100, list[Spent]()
    for _ in range(2 * rounds):
        for durable in (True, False):
            with (folder / "line").open("wb", buffering=0) as file:
                cpu, wall = time.process_time(), time.monotonic()
                for _ in range(2 * count):
                    file.write(b"x" * 300)
                    if durable:
                        os.fsync(file.fileno())
                spent = Spent(time.monotonic() - wall, time.process_time() - cpu, 0)
            found.append(spent.each(count))
    return best(found[::2]) - best(found[1::2])


Rows = Iterator[str]


def rows_of(name: str, place: Place, rounds: int) -> Rows:
    """Compare an iteration without its two fsyncs with the shell loop."""
    ours, plain = iterations(place, rounds)
    synced = two_fsyncs(place.folder, rounds)
    yield ratio(name, ours - synced, plain)
    cpu, wall = synced.cpu * 1000, synced.wall * 1000
    yield f"{'and its two fsyncs':44} CPU {cpu:8.1f} ms,        wall {wall:8.1f} ms"


def row_git(make: Callable[..., Place], rounds: int) -> Rows:
    """An iteration with git."""
    yield from rows_of("iteration with git / shell, two git status", make(), rounds)


def row_plain(make: Callable[..., Place], rounds: int) -> Rows:
    """An iteration without git."""
    yield from rows_of("iteration without git / shell", make(git=False), rounds)


def row_start(make: Callable[..., Place], rounds: int) -> Rows:
    """The time from the start of a new session to its first child."""
    place, found, plain = make(), list[float](), list[Spent]()
    stamp = place.folder / "stamp"
    for number in range(3 * rounds):
        began = time.monotonic()
        place.run(f"s{number}", 1, BENCH_STAMP=str(stamp))
        found.append(int(stamp.read_text().split()[-1]) / 1e9 - began)
        plain.append(measure([*PYTHON, "-c", "pass"], place.repo, place.environ))
    first, name = min(found), "start to first child / python -c pass"
    yield f"{name:44} wall {first * 1000:.1f} ms = {first / best(plain).wall:.1f} x"


def row_hook(make: Callable[..., Place], rounds: int) -> Rows:
    """The Stop hook, in a session of 100 iterations."""
    place = make()
    place.run("hook", 100)
    words = [*MAIN, "--check-signal", str(place.session("hook"))]
    yield ratio("Stop hook / python -c pass", *bare(place, rounds, words, ok=0))


def row_help(make: Callable[..., Place], rounds: int) -> Rows:
    """--help."""
    yield ratio("--help / python -c pass", *bare(make(), rounds, [*MAIN, "--help"], ok=0))


def row_growth(make: Callable[..., Place], rounds: int) -> Rows:
    """A late iteration compared with an early one, and many artifacts with few."""
    place = make(git=False)
    stamp = place.folder / "stamp"
    spent = place.run("long", 10_100, BENCH_STAMP=str(stamp), SAMOCODE_MAX_ITERATIONS="20000")
    times = [int(line) / 1e9 for line in stamp.read_text().split()]
    steps = [b - a for a, b in pairwise(times)]
    early, late = statistics.median(steps[100:300]), statistics.median(steps[-200:])
    name = "iteration 10,000 / iteration 100"
    yield f"{name:44} wall {late * 1000:.1f} ms = {late / early:.2f} x"
    yield f"{'memory of 10,100 iterations':44} {spent.memory:.0f} MB"
    found: dict[tuple[int, int], list[Spent]] = {}
    for number in range(3 * rounds):
        for count in (10, 1000):
            name = f"a{count}-{number}"
            place.run(name, 1)
            for artifact in range(count):
                (place.session(name) / f"01-01-00:00-note-{artifact}.md").write_text("x")
            for length in (10, 60):
                found.setdefault((count, length), []).append(place.run(name, length))
    of = {count: best(found[count, 60]) - best(found[count, 10]) for count in (10, 1000)}
    yield ratio("1,000 artifacts / 10 artifacts", of[1000].each(50), of[10].each(50))


def row_history(make: Callable[..., Place], rounds: int) -> Rows:
    """Open a history of 100,000 lines."""
    place = make(git=False)
    place.run("h", 3)
    history = place.session("h") / "_history.jsonl"
    lines = [line for line in history.read_text().splitlines() if '"stop"' not in line]
    pair = [json.loads(line) for line in lines if '"begin"' in line or '"iteration"' in line][-2:]
    with history.open("w") as file:
        file.writelines(f"{line}\n" for line in lines)
        for number in range(4, 50_000):
            file.writelines(json.dumps(line | {"n": number}) + "\n" for line in pair)
    words = [*MAIN, "--session", "h", "--max-iterations", "0"]
    found = best([measure(words, place.repo, place.environ) for _ in range(rounds)])
    yield f"{'a history of 100,000 lines is opened':44} {found.wall:.2f} s, {found.memory:.0f} MB"


def row_flood(make: Callable[..., Place], rounds: int) -> Rows:
    """900 MB of output, and one line of 64 MB."""
    place, much = make(git=False), str(900 * MB)
    out = place.folder / "out"
    ours, plain = list[Spent](), list[Spent]()
    for number in range(max(1, rounds // 2)):
        ours.append(place.run(f"f{number}", 1, BENCH_BYTES=much))
        words = [str(place.stub), "--add-dir", str(place.folder)]
        plain.append(measure(words, place.repo, {**place.environ, "BENCH_BYTES": much}, out))
        out.unlink()
        history = (place.session(f"f{number}") / "_history.jsonl").read_text()
        seen = '"cost_usd": 0.01' in history
        shutil.rmtree(place.session(f"f{number}") / "_logs")
        if not seen:
            yield "THE RESULT EVENT WAS NOT SEEN"
    more = best(ours).wall - best(plain).wall
    name = "900 MB of output, beyond writing to a file"
    yield f"{name:44} {more:.1f} s ({best(plain).wall:.1f} s)"
    line = place.run("line", 1, BENCH_BYTES=str(64 * MB), BENCH_ONE_LINE="1")
    yield f"{'memory with one line of 64 MB':44} {line.memory:.0f} MB"


def row_large(make: Callable[..., Place], rounds: int) -> Rows:
    """A repository of 50,000 tracked files."""
    place = make(files=50_000)
    place.run("large", 2)
    worktree, environ = place.session_tree("large"), {**place.environ, "GIT_OPTIONAL_LOCKS": "0"}
    few, many, plain = list[Spent](), list[Spent](), list[Spent]()
    for _ in range(rounds):
        few.append(place.run("large", 1))
        many.append(place.run("large", 6))
        plain.append(measure(["git", "status", "--porcelain"], worktree, environ))
    ours = (best(many) - best(few)).each(5)
    yield ratio("iteration, 50,000 files / one git status", ours, best(plain))


SLEEPER = "import time\nwhile True: time.sleep(0.4)"
"""It wakes as often as the loop. On some machines this alone is 0.8 % of a core."""


def row_waiting(make: Callable[..., Place], _rounds: int) -> Rows:
    """Waiting at a gate, and the time from an answer to the next child."""
    place = make(git=False)
    ask, stamp = place.folder / "ask", place.folder / "stamp"
    ask.touch()
    environ = {**place.environ, "BENCH_ASK": str(ask), "BENCH_STAMP": str(stamp)}
    words = [*MAIN, "--session", "w", "--max-iterations", "2", "--task", "t"]
    with subprocess.Popen(words, cwd=place.repo, env=environ, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as loop:  # fmt: skip
        while not list((place.folder / "sessions").glob("*-w/_qa.md")):
            time.sleep(0.1)
        time.sleep(3)
        with subprocess.Popen([*PYTHON, "-c", SLEEPER]) as sleeper:
            time.sleep(1)
            pids, began = (loop.pid, sleeper.pid), time.monotonic()
            before = [_on_cpu(pid) for pid in pids]
            time.sleep(20)
            spent = [_on_cpu(pid) - was for pid, was in zip(pids, before, strict=True)]
            share, least = (cpu / (time.monotonic() - began) for cpu in spent)
            sleeper.kill()
        page = place.session("w") / "_qa.md"
        page.write_text(page.read_text().rstrip() + " A\n")
        saved = time.monotonic()
        loop.wait(timeout=60)
    spawned = int(stamp.read_text().split()[-1]) / 1e9
    name = "waiting at a gate / a python that only sleeps"
    yield f"{name:44} {share * 100:.3f} % of a core = {share / least:5.1f} x"
    yield f"{'from a saved answer to the next child':44} {spawned - saved:.2f} s (1 s to settle)"


def _on_cpu(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def row_many(make: Callable[..., Place], _rounds: int) -> Rows:
    """20 sessions in parallel, 10 iterations each."""
    place, count = make(), 20
    for number in range(count):
        place.run(f"m{number}", 1)

    def together(script: str) -> Spent:
        return measure(["/bin/sh", "-c", script + "wait"], place.repo, place.environ)

    main = " ".join(MAIN)
    ours = together(
        "".join(f"{main} --session m{n} --max-iterations 11 >/dev/null & " for n in range(count))
    ) - together(
        "".join(f"{main} --session m{n} --max-iterations 1 >/dev/null & " for n in range(count))
    )
    plain = place.shell(10 * count, git=True)
    yield ratio("20 sessions, 10 iterations each / shell", ours, plain)


ROWS = {name[4:]: row for name, row in globals().items() if name.startswith("row_")}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--only", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="samocode-bench-") as folder:
        stub = Path(folder) / "stub"
        source = str(ROOT / "bench" / "stub.c")
        subprocess.run(["cc", "-O2", "-o", str(stub), source], check=True)
        for name in options.only.split(","):

            def make(files: int = 200, git: bool = True, name: str = name) -> Place:
                return Place(Path(folder) / name, stub, files, git)

            for line in ROWS[name](make, options.rounds):
                print(line, flush=True)
            shutil.rmtree(Path(folder) / name, ignore_errors=True)


if __name__ == "__main__":
    main()
