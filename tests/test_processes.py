"""No process outlives its iteration, even if it is detached, ignores SIGTERM, forks or has no tag.
Each scene runs in its own process, which becomes the reaper as the loop does."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from samocode.settings.clone import RUN_TAG
from tests.outer.speech import wait_for
from tests.outer.stage import ROOT, executable, lives

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a subreaper")

PRELUDE = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
from samocode.child import process_table, processes
tag = Path(sys.argv[1])
processes.become_reaper()

def start(*command):
    null, out = subprocess.DEVNULL, open(tag / "out", "ab")
    return processes.spawn(command, tag, dict(os.environ), tag, null, out, null)

def shell(text):
    return start("/bin/sh", "-c", text)

def children():
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(p) for p in path.read_text().split()] if path.exists() else []

def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)

def names(pid):
    found = [p for p in process_table.read() if p.parent == pid]
    return [name for p in found for name in (p.command, *names(p.pid))]

def settled(*wanted):  # between fork and exec a process still has its parent's name
    until(lambda: sorted(names(os.getpid())) == sorted(wanted))

def end(main=None, grace=0.3):
    end_tree, end_orphans = processes.end_tree, processes.end_orphans
    left = end_tree(tag, main, grace) if main else end_orphans(tag, grace)
    print(json.dumps({
        "left": sorted(p.command for p in left), "pids": [p.pid for p in left],
        "code": main.returncode if main else None, "children": children(),
    }))
"""


def scene(
    tmp_path: Path, script: str, launcher: Sequence[str] = (), children: int = 0
) -> dict[str, Any]:
    """Run a scene, assert that no process of it lives, and return what it printed."""
    folder = tmp_path / "a session"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [*launcher, sys.executable, "-c", PRELUDE + script, str(folder)],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert len(found["children"]) == children
    assert [pid for pid in found["pids"] if not gone(pid)] == []
    return found


def gone(pid: int) -> bool:
    """Whether no process with this number lives. A zombie does not count."""
    return not lives(Path("/proc", str(pid)), True, Path())


UP = "until(lambda: (tag / 'up').exists())\n"
TABLE: dict[str, tuple[str, list[str], list[str], int | None]] = {
    # name: (how it begins, what runs then, what was left but the main process, its exit code)
    "ended by itself": ("main = shell('exit 7'); main.wait()", [], [], 7),
    "running": ("main = start('sleep', '300')", ["sleep"], [], -15),
    "deaf to SIGTERM": (
        "main = shell('trap \"\" TERM; sleep 300; exit')", ["sh", "sleep"], ["sleep"], -9,
    ),
    "stopped": (
        """
main = start('sleep', '300')
os.kill(main.pid, signal.SIGSTOP)
until(lambda: Path(f'/proc/{main.pid}/stat').read_text().split()[2] == 'T')""",
        ["sleep"], [], -9,
    ),
    "double fork": (
        """main = shell('(setsid sh -c "sleep 300 &" &)'); main.wait()""", ["sleep"], ["sleep"], 0,
    ),
    "a name like a line of /proc": (
        """main = shell('cp /bin/sleep "x) R 1 ("; "./x) R 1 (" 300 &'); main.wait()""",
        ["x) R 1 ("], ["x) R 1 ("], 0,
    ),
    "nothing at all": ("main = None", [], [], None),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_whole_tree_is_ended(tmp_path: Path, name: str) -> None:
    """And reported. The exit code is that of the main process."""
    begin, running, left, code = TABLE[name]
    found = scene(tmp_path, f"{begin}\nsettled(*{running}); end(main)")
    assert sorted(set(found["left"])) == left
    assert found["code"] == code


FORKS = """
import os, signal, sys, time
if len(sys.argv) > 1 and os.fork():
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(1500):
    if len(sys.argv) > 1:
        open(sys.argv[1], 'w').close()
    time.sleep(0.02)
    if os.fork():
        os._exit(0)
    os.setsid()
"""
"""Each process starts the next one in a session of its own and ends."""


def test_a_loop_of_forks(tmp_path: Path) -> None:
    script = f"main = start(sys.executable, '-S', '-c', {FORKS!r})\nmain.wait(); end(main)"
    assert scene(tmp_path, script)["left"], "it was alive when the end began"


def test_a_loop_of_forks_that_a_killed_loop_left(tmp_path: Path) -> None:
    """It is found by the tag alone, although each process lives only for a moment."""
    beat = tmp_path / "beat"
    environ = {**os.environ, RUN_TAG: str(tmp_path / "a session")}
    subprocess.run([sys.executable, "-S", "-c", FORKS, str(beat)], env=environ, check=True)
    wait_for(beat.exists)
    assert scene(tmp_path, "end()")["left"]
    beat.unlink()
    subprocess.run(["sleep", "0.3"], check=True)  # fifteen forks
    assert not beat.exists(), "it is still alive"


def test_what_forks_in_its_signal_handler(tmp_path: Path) -> None:
    script = f"""
deaf = 'trap "" TERM; setsid tail -f /dev/null & exit 0'
main = shell(f"trap '{{deaf}}' TERM; echo > up; while :; do sleep 0.1; done")
{UP}end(main)"""
    found = scene(tmp_path, script)
    assert found["code"] == 0 and "tail" in found["left"]


def test_orphans_are_reaped_by_their_pid(tmp_path: Path) -> None:
    """So that no zombies pile up. `waitpid(-1)` could take the exit code of the main process."""
    script = """
os.mkfifo(tag / 'go')
main = shell('for i in 1 2 3; do (setsid true &); done; echo > up; read line < go; exit 9')
until(lambda: processes.reap(main) and (tag / 'up').exists() and children() == [main.pid])
(tag / 'go').write_text('x')
until(lambda: not processes.reap(main))
end(main)
"""
    assert scene(tmp_path, script)["code"] == 9


def test_children_from_before_the_program_are_left_alone(tmp_path: Path) -> None:
    """Such as the tee of `main.py > >(tee log)`."""
    shell = (
        f'sleep 44 >/dev/null 2>&1 & echo $! >{shlex.quote(str(tmp_path))}/theirs; exec "$0" "$@"'
    )
    script = "main = start('sleep', '300'); end(main)"
    found = scene(tmp_path, script, ["sh", "-c", shell], children=1)
    theirs = int((tmp_path / "theirs").read_text())
    assert (found["code"], found["left"], found["children"]) == (-15, [], [theirs])
    os.kill(theirs, signal.SIGKILL)


PS = """#!{python}
import os, sys
from pathlib import Path
assert sys.argv[1:] == ["-A", "-E", "-ww", "-o", "pid=,ppid=,state=,command="], sys.argv
for folder in Path({proc!r}).glob("[0-9]*"):
    try:
        rest = (folder / "stat").read_text().rpartition(")")[2]
        words = [(folder / name).read_bytes().split(b"\\0") for name in ("cmdline", "environ")]
    except OSError:
        continue
    state, parent = rest.split()[:2]
    said = b" ".join(word for found in words for word in found if word)
    print(folder.name, parent, state + "s", os.fsdecode(said).replace("\\n", " "))
"""
"""ps(1) as macOS prints it, made from this machine's own process table."""


@pytest.fixture
def without_proc(tmp_path: Path) -> list[str]:
    """A launcher of commands for which /proc is empty, and which have a ps(1)."""
    proc, ps = tmp_path / "proc", tmp_path / "ps"
    proc.mkdir()
    executable(ps, PS.format(python=sys.executable, proc=str(proc)))
    root = [] if os.getuid() == 0 else ["--map-root-user"]
    here = shlex.quote(str(tmp_path))
    hide = f"mount --rbind /proc {here}/proc && mount -t tmpfs none /proc"
    script = f'{hide} && PATH={here}:$PATH exec "$0" "$@"'
    launcher = ["unshare", "--mount", *root, "sh", "-c", script]
    tried = subprocess.run([*launcher, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"/proc cannot be hidden here: {tried.stderr.strip()}")
    return launcher


def test_without_proc_the_tree_is_read_from_ps(tmp_path: Path, without_proc: list[str]) -> None:
    """As on macOS: the descendants of the main process, and orphans by their tag."""
    tools = 'env -i sleep 301 & setsid sleep 302 & (setsid sh -c "trap : TERM; echo > up; sleep 303'
    script = f"""
main = shell('{tools}; sleep 304" &); wait')
until(lambda: names(main.pid) == ['sleep'] * 2)
{UP}read = lambda: process_table.read(f'{RUN_TAG}={{tag}}')
until(lambda: sorted(p.command for p in read() if p.tagged) == ['sh', 'sh', 'sleep', 'sleep'])
end(main)"""
    found = scene(tmp_path, script, without_proc)
    assert (found["code"], found["left"]) == (-15, ["sh", *["sleep"] * 4])


@pytest.mark.parametrize("table", ["/proc", "ps"])
def test_only_our_orphans_end(tmp_path: Path, table: str, request: pytest.FixtureRequest) -> None:
    """Not processes with a similar value in their environment."""
    launcher: list[str] = request.getfixturevalue("without_proc") if table == "ps" else []
    session, variable = str(tmp_path / "a session"), RUN_TAG
    theirs = [
        {variable: f"{session}-2"},
        {variable: f"{session} two/x"},
        {f"OLD_{variable}": session},
        {"NOTE": f"see {variable}={session} there"},
    ]
    lost = [
        subprocess.Popen(["sleep", "60"], env={"A": "a\fb\u2028c", **environ, "Z": "1"})
        for environ in ({variable: session}, *theirs)
    ]
    try:
        assert scene(tmp_path, "end()", launcher)["left"] == ["sleep"]
        assert lost[0].wait(timeout=30) == -15
        assert [process.poll() for process in lost[1:]] == [None] * len(theirs)
    finally:
        for process in lost:
            process.kill()
            process.wait()


RUN = """
log, environ = tag / "log", dict(os.environ)
wait, stop = time.sleep, lambda: {stop}
code = processes.run_shell({command!r}, tag, environ, tag, log, {limit}, stop, wait)
print(json.dumps({{"code": code, "log": log.read_text(), "children": children(), "pids": []}}))
"""


@pytest.mark.parametrize(
    ("command", "limit", "stop", "code", "log"),
    [
        ("echo out; echo err >&2; exit 5", 10, "False", 5, "out\nerr\n"),
        ("setsid sleep 300 & echo $SAMOCODE_RUN", 10, "False", 0, None),
        ("echo a; sleep 300", 0.3, "False", None, "a\n"),
        ("sleep 300", 10, "True", None, ""),
    ],
    ids=["ends", "leaves a process", "takes too long", "is stopped"],
)
def test_a_command_of_the_settings(
    tmp_path: Path, command: str, limit: float, stop: str, code: int | None, log: str | None
) -> None:
    """The log has all output of SETUP and VERIFY. None of their processes stays alive."""
    found = scene(tmp_path, RUN.format(command=command, limit=limit, stop=stop))
    assert found["code"] == code
    assert found["log"] == (log if log is not None else f"{tmp_path}/a session\n")
