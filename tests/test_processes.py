"""The whole process tree ends: detached, deaf, forking, untagged. Each scene runs in a
process of its own that became the reaper, as the loop does."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from samocode.settings.clone import RUN_TAG
from tests.harness import ROOT, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a subreaper")

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
    return [int(p) for p in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]

def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)

def names(pid):
    found = [p for p in process_table.read() if p.parent == pid]
    return [name for p in found for name in (p.command, *names(p.pid))]

def settled(*wanted):  # between fork and exec a process still bears its parent's name
    until(lambda: sorted(names(os.getpid())) == sorted(wanted))

def end(main=None, grace=0.3):
    end_tree, end_orphans = processes.end_tree, processes.end_orphans
    left = end_tree(tag, main, grace) if main else end_orphans(tag, grace)
    print(json.dumps({
        "left": sorted(p.command for p in left), "pids": [p.pid for p in left],
        "code": main.returncode if main else None, "children": children(),
    }))
"""


def scene(tmp_path: Path, script: str, launcher: Sequence[str] = ()) -> dict[str, Any]:
    """What a scene printed; nothing that it started lives on."""
    folder = tmp_path / "a session"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [*launcher, sys.executable, "-c", PRELUDE + script, str(folder)],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["children"] == []
    assert [pid for pid in found["pids"] if not gone(pid)] == []
    return found


def gone(pid: int) -> bool:
    """Whether no living process has this number; who adopted it may not have collected it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


UP = "until(lambda: (tag / 'up').exists())\n"
TABLE: dict[str, tuple[str, list[str], int | None]] = {
    # name: (scene, what was left besides the main process, the main process's exit code)
    "ended by itself": ("main = shell('exit 7'); main.wait(); end(main)", [], 7),
    "nobody waited": ("main = shell('exit 7'); time.sleep(0.2); end(main)", [], 7),
    "running": ("main = start('sleep', '300'); end(main)", [], -15),
    "deaf to SIGTERM": (
        """
main = shell('trap "" TERM; sleep 300; exit')
settled('sh', 'sleep'); end(main)""",
        ["sleep"],
        -9,
    ),
    "stopped": (
        """
main = start('sleep', '300')
os.kill(main.pid, signal.SIGSTOP)
until(lambda: Path(f'/proc/{main.pid}/stat').read_text().split()[2] == 'T')
end(main)""",
        [],
        -9,
    ),
    "detached grandchild": (
        """
main = shell('setsid sleep 300 & exit 3'); main.wait()
settled('sleep'); end(main)""",
        ["sleep"],
        3,
    ),
    "daemon without a tag": (
        """
deaf = 'setsid sh -c "trap : TERM; cd /; sleep 300; sleep 300"'
main = shell(f'env -i {deaf} &'); main.wait()
settled('sh', 'sleep'); end(main)""",
        ["sh", "sleep"],
        0,
    ),
    "double fork": (
        """
main = shell('(setsid sh -c "sleep 300 &" &)'); main.wait()
settled('sleep'); end(main)""",
        ["sleep"],
        0,
    ),
    "a name like a line of /proc": (
        """
main = shell('cp /bin/sleep "x) R 1 ("; "./x) R 1 (" 300 &'); main.wait()
settled('x) R 1 ('); end(main)""",
        ["x) R 1 ("],
        0,
    ),
    "nothing at all": ("end()", [], None),
}


@linux
@pytest.mark.parametrize("name", TABLE)
def test_end_tree(tmp_path: Path, name: str) -> None:
    script, left, code = TABLE[name]
    found = scene(tmp_path, script)
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
"""Each process starts the next one in a session of its own and is gone."""


@linux
def test_a_loop_of_forks(tmp_path: Path) -> None:
    """No list of pids holds for long."""
    found = scene(
        tmp_path,
        f"""
main = start(sys.executable, '-S', '-c', {FORKS!r})
main.wait(); end(main)""",
    )
    assert found["left"], "it was alive when the end began"


@linux
def test_a_killed_loops_loop_of_forks(tmp_path: Path) -> None:
    """Nobody's children: only the tag shows them, and each lives for a moment."""
    beat = tmp_path / "beat"
    environ = {**os.environ, RUN_TAG: str(tmp_path / "a session")}
    subprocess.run([sys.executable, "-S", "-c", FORKS, str(beat)], env=environ, check=True)
    wait_for(beat.exists)
    assert scene(tmp_path, "end()")["left"]
    beat.unlink()
    time.sleep(0.3)
    assert not beat.exists(), "it beats on"


@linux
def test_what_forks_in_its_signal_handler(tmp_path: Path) -> None:
    """The child that a SIGTERM made is ended too."""
    found = scene(
        tmp_path,
        f"""
deaf = 'trap "" TERM; setsid tail -f /dev/null & exit 0'
main = shell(f"trap '{{deaf}}' TERM; echo > up; while :; do sleep 0.1; done")
{UP}end(main)""",
    )
    assert found["code"] == 0 and "tail" in found["left"]


@linux
def test_orphans_are_reaped_by_their_pid(tmp_path: Path) -> None:
    """`waitpid(-1)` would steal the main process's exit code; zombies must not pile up either."""
    found = scene(
        tmp_path,
        """
main = shell('for i in 1 2 3; do (setsid true &); done; echo > up; read line < go; exit 9')
os.mkfifo(tag / 'go')
until(lambda: processes.reap(main) and (tag / 'up').exists() and children() == [main.pid])
(tag / 'go').write_text('x')
until(lambda: not processes.reap(main))
end(main)
""",
    )
    assert found["code"] == 9


@linux
def test_where_no_child_is_left_nothing_is_searched(tmp_path: Path) -> None:
    """A search needs to open a file, which would fail here."""
    script = """
import resource
main = shell('exit 4'); main.wait()
least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
left = processes.end_tree(tag, main)
resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))
print(json.dumps({"left": left, "pids": [], "children": children()}))
"""
    assert scene(tmp_path, script)["left"] == []


@linux
def test_other_sessions_are_left_alone(tmp_path: Path) -> None:
    """Not our child, another tag: even one that begins like ours."""
    other = subprocess.Popen(
        ["sleep", "60"], env={**os.environ, RUN_TAG: str(tmp_path / "a session") + "-2"}
    )
    try:
        assert scene(tmp_path, "end()")["left"] == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@linux
def test_a_killed_loops_child_is_found_by_its_tag(tmp_path: Path) -> None:
    """Nobody's child any more: only the environment tells whose it was."""
    environ = {**os.environ, RUN_TAG: str(tmp_path / "a session")}
    lost = subprocess.run(
        ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"], env=environ, capture_output=True,
            check=True
    )  # fmt: skip
    found = scene(tmp_path, "end()")
    assert (found["left"], found["pids"]) == (["sleep"], [int(lost.stdout)])


@linux
def test_children_from_before_the_program_are_left_alone(tmp_path: Path) -> None:
    """`main.py > >(tee log)` makes the shell's tee a child of the loop."""
    folder = tmp_path / "a session"
    folder.mkdir()
    script = PRELUDE + "main = start('sleep', '300'); end(main)"
    shell = 'sleep 44 >/dev/null & echo $! > theirs; exec "$0" -c "$1" "$2"'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, script, str(folder)], cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, text=True, timeout=60, check=True,
    )  # fmt: skip
    theirs = int((folder / "theirs").read_text())
    found = json.loads(done.stdout)
    try:
        assert (found["code"], found["left"]) == (-15, [])
        assert found["children"] == [theirs]
        assert not gone(theirs)
    finally:
        os.kill(theirs, signal.SIGKILL)


@linux
def test_the_child_ends_with_a_killed_loop(tmp_path: Path) -> None:
    """Killed in any way, the loop takes its main process along."""
    script = "main = start('sleep', '300'); print(main.pid, flush=True); time.sleep(300)"
    (tmp_path / "s").mkdir()
    loop = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(tmp_path / "s")],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert loop.stdout is not None
    pid = int(loop.stdout.readline())
    loop.kill()
    loop.communicate()
    wait_for(lambda: gone(pid), 5)


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
"""ps(1) as macOS prints it, told by this machine's own table."""


@pytest.fixture
def without_proc(tmp_path: Path) -> list[str]:
    """A launcher of commands for which /proc is empty, and there is a ps(1)."""
    proc, ps = tmp_path / "proc", tmp_path / "ps"
    proc.mkdir()
    ps.write_text(PS.format(python=sys.executable, proc=str(proc)))
    ps.chmod(0o755)
    root = [] if os.getuid() == 0 else ["--map-root-user"]
    here = shlex.quote(str(tmp_path))
    hide = f"mount --rbind /proc {here}/proc && mount -t tmpfs none /proc"
    script = f'{hide} && PATH={here}:$PATH exec "$0" "$@"'
    launcher = ["unshare", "--mount", *root, "sh", "-c", script]
    tried = subprocess.run([*launcher, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"/proc cannot be hidden here: {tried.stderr.strip()}")
    return launcher


@linux
def test_without_proc_the_tree_is_read_from_ps(tmp_path: Path, without_proc: list[str]) -> None:
    """As on macOS: what descends from the main process, and orphans by their tag."""
    tools = 'env -i sleep 301 & setsid sleep 302 & (setsid sh -c "trap : TERM; echo > up; sleep 303'
    script = f"""
def children(): return []
main = shell('{tools}; sleep 304" &); wait')
until(lambda: names(main.pid) == ['sleep'] * 2)
{UP}read = lambda: process_table.read(f'{RUN_TAG}={{tag}}')
until(lambda: sorted(p.command for p in read() if p.tagged) == ['sh', 'sh', 'sleep', 'sleep'])
end(main)"""
    found = scene(tmp_path, script, without_proc)
    assert (found["code"], found["left"]) == (-15, ["sh", *["sleep"] * 4])


@linux
def test_without_proc_other_sessions_are_left_alone(
    tmp_path: Path, without_proc: list[str]
) -> None:
    """Values of other variables, and of ours, that only look like the tag."""
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
        assert scene(tmp_path, "children = list; end()", without_proc)["left"] == ["sleep"]
        assert lost[0].wait(timeout=5) == -15
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


@linux
@pytest.mark.parametrize(
    ("command", "limit", "stop", "code", "log"),
    [
        ("echo out; echo err >&2; exit 5", 10, "False", 5, "out\nerr\n"),
        ("setsid sleep 300 & echo $SAMOCODE_RUN", 10, "False", 0, None),
        ("echo a; sleep 300", 0.3, "False", None, "a\n"),
        ("sleep 300", 10, "True", None, ""),
    ],
)
def test_run_shell(
    tmp_path: Path, command: str, limit: float, stop: str, code: int | None, log: str | None
) -> None:
    found = scene(tmp_path, RUN.format(command=command, limit=limit, stop=stop))
    assert found["code"] == code
    assert found["log"] == (log if log is not None else f"{tmp_path}/a session\n")
