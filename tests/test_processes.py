"""The whole process tree ends: detached, deaf, forking, without a mark. Each scene runs in a
process of its own that became the reaper, as the loop does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from samocode.child import process_table
from samocode.settings.clone import RUN_TAG
from tests.harness import ROOT, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a subreaper")

PRELUDE = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
from samocode.child import process_table, processes
mark = Path(sys.argv[1])
processes.become_reaper()

def start(*command):
    null, out = subprocess.DEVNULL, open(mark / "out", "ab")
    return processes.spawn(command, mark, dict(os.environ), mark, null, out, null)

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
    rows = [row for row in process_table.read() if row.parent == pid and not row.zombie]
    return [name for row in rows for name in (row.name, *names(row.pid))]

def settled(*wanted):  # between fork and exec a process still bears its parent's name
    until(lambda: sorted(names(os.getpid())) == sorted(wanted))

def end(main=None, grace=0.3):
    began = time.monotonic()
    left = processes.end_tree(mark, main, grace)
    print(json.dumps({
        "left": sorted(p.command for p in left), "pids": [p.pid for p in left],
        "seconds": time.monotonic() - began, "code": main.returncode if main else None,
        "children": children(),
    }))
"""


def scene(
    tmp_path: Path, script: str, mark: str = "a session", prelude: str = PRELUDE
) -> dict[str, Any]:
    """What a scene printed; nothing that it started lives on."""
    folder = tmp_path / mark
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", prelude + script, str(folder)],
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


UP = "until(lambda: (mark / 'up').exists())\n"
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
    "daemon without a mark": (
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
    assert found["seconds"] < 3


CHAIN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(1500):
    time.sleep(0.004)
    if os.fork():
        os._exit(0)
    os.setsid()
"""


@linux
def test_a_chain_of_forks(tmp_path: Path) -> None:
    """Each link starts the next one in a session of its own and is gone: no list of pids holds."""
    found = scene(
        tmp_path,
        f"""
main = start(sys.executable, '-S', '-c', {CHAIN!r})
main.wait()
time.sleep(0.3)
end(main)""",
    )
    assert found["left"], "it was alive when the end began"


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
main = shell('for i in 1 2 3; do (setsid true &); done; sleep 0.5; exit 9')
rows = lambda: [row for row in process_table.read() if row.parent == os.getpid()]
until(lambda: sum(row.zombie and row.pid != main.pid for row in rows()) == 3)
processes.reap(main)
assert children() == [main.pid], children()
until(lambda: Path(f'/proc/{main.pid}/stat').read_text().split()[2] == 'Z')
processes.reap(main)
end(main)
""",
    )
    assert found["code"] == 9


@linux
def test_other_sessions_are_left_alone(tmp_path: Path) -> None:
    """Not our child, another mark: even one whose mark begins like ours."""
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
def test_a_killed_loops_child_is_found_by_its_mark(tmp_path: Path) -> None:
    """Nobody's child any more: only the environment tells whose it was."""
    environ = {**os.environ, RUN_TAG: str(tmp_path / "a session")}
    lost = subprocess.run(
        ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"], env=environ, capture_output=True,
            check=True
    )  # fmt: skip
    found = scene(tmp_path, "end()")
    assert (found["left"], found["pids"]) == (["sleep"], [int(lost.stdout)])


ORPHANED = """
import os, signal, sys, time
if os.fork():
    os._exit(0)
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 30
while time.monotonic() < end:
    time.sleep(0.0005)
    open(sys.argv[1], 'w').close()
    if os.fork():
        os._exit(0)
"""


@linux
def test_a_killed_loops_chain_of_forks_is_found(tmp_path: Path) -> None:
    """Nobody's children, and each gone before the look at the table is over: their group holds."""
    environ = {**os.environ, RUN_TAG: str(tmp_path / "a session")}
    beat = tmp_path / "beat"
    chain = [sys.executable, "-S", "-c", ORPHANED, str(beat)]
    subprocess.run(chain, env=environ, check=True)
    wait_for(beat.exists)
    found = scene(tmp_path, "end()")
    assert found["left"] and found["seconds"] < 5
    beat.unlink()
    time.sleep(0.3)
    assert not beat.exists(), "it beats on"


@linux
def test_nothing_left_is_soon_known(tmp_path: Path) -> None:
    """A second look or more only where no parentage shows what is ours."""
    assert scene(tmp_path, "end()")["seconds"] < 1.5


DEAF = """exec sh -c 'trap "" TERM; echo > up; while :; do sleep 0.2; done'"""


@linux
def test_a_group_with_strangers_in_it_is_spared(tmp_path: Path) -> None:
    """A script of the user's in whose group a marked process lives: that one ends alone."""
    folder = tmp_path / "a session"
    folder.mkdir()
    script = f"(export {RUN_TAG}='{folder}'; {DEAF}) & exec sleep 44"
    users = subprocess.Popen(["sh", "-c", script], cwd=folder, start_new_session=True)
    try:
        wait_for((folder / "up").exists)
        assert "sh" in scene(tmp_path, "end()")["left"]
        assert users.poll() is None
    finally:
        users.kill()
        users.wait()


@linux
def test_the_loops_own_group_is_spared(tmp_path: Path) -> None:
    """Somebody deaf in the loop's own group, which is also the group of the shell's job."""
    script = f"""
environ = dict(os.environ) | {{'SAMOCODE_RUN': str(mark)}}
subprocess.Popen(["sh", "-c", {DEAF!r}], cwd=mark, env=environ)
{UP}end()"""
    assert "sh" in scene(tmp_path, script)["left"]


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
        assert found["children"] == [theirs] and found["seconds"] < 3
        assert not gone(theirs)
    finally:
        os.kill(theirs, signal.SIGKILL)


@pytest.mark.parametrize(
    ("pids", "last", "order"),
    [
        ([1, 50, 900, 901], 901, [901, 900, 50, 1]),
        ([1, 50, 51, 30000, 30001], 51, [51, 50, 1, 30001, 30000]),
    ],
    ids=["counting up", "begun again from below"],
)
def test_the_newest_processes_are_looked_at_first(
    pids: list[int], last: int, order: list[int]
) -> None:
    assert process_table.newest_first(pids, last) == order


@linux
def test_the_child_ends_with_a_killed_loop(tmp_path: Path) -> None:
    """Killed in any way, the loop takes its main process along (PR_SET_PDEATHSIG)."""
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
assert sys.argv[1:] == ["-A", "-E", "-ww", "-o", "pid=,ppid=,pgid=,state=,command="], sys.argv
for folder in Path("/proc").glob("[0-9]*"):
    try:
        head, _, rest = (folder / "stat").read_text().rpartition(")")
        words = [(folder / name).read_bytes().split(b"\\0") for name in ("cmdline", "environ")]
    except OSError:
        continue
    state, parent, group = rest.split()[:3]
    said = b" ".join(word for found in words for word in found if word)
    print(folder.name, parent, group, state + "s", os.fsdecode(said).replace("\\n", " "))
"""
"""ps(1) as macOS prints it, told by this machine's own table."""


@linux
def test_without_proc_the_mark_is_read_from_ps(tmp_path: Path) -> None:
    """As on macOS: the children and orphans of one session end, and no other session's."""
    (tmp_path / "bin").mkdir()
    ps = tmp_path / "bin" / "ps"
    ps.write_text(PS.replace("{python}", sys.executable))
    ps.chmod(0o755)
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
    mac = f"""
import sys
sys.platform = 'darwin'
import os
os.environ['PATH'] = {str(tmp_path / "bin")!r} + ':' + os.environ['PATH']
"""
    script = "main = shell('env -i sleep 301 & sleep 302'); time.sleep(0.3); end(main)"
    script = script.replace("end(main)", "processes.end_tree(mark, None, 0.3); end(main)")
    found = scene(tmp_path, script, prelude=mac + PRELUDE)
    assert found["code"] == -15
    try:
        assert lost[0].wait(timeout=5) == -15
        assert [process.poll() for process in lost[1:]] == [None] * len(theirs)
    finally:
        for process in lost:
            process.kill()
            process.wait()


RUN = """
log, environ = mark / "log", dict(os.environ)
code = processes.run_shell({command!r}, mark, environ, mark, log, {limit}, lambda: {stop})
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
    began = time.monotonic()
    found = scene(tmp_path, RUN.format(command=command, limit=limit, stop=stop))
    assert found["code"] == code and time.monotonic() - began < 9
    assert found["log"] == (log if log is not None else f"{tmp_path}/a session\n")
