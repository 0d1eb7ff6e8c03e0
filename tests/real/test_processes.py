"""However an iteration of the real CLI ends, no process remains, even of a stubborn tool."""

import shlex
import signal as signals
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass

import psutil
import pytest

from tests.api import ScriptedApi
from tests.outer.speech import wait_for
from tests.outer.stage import Loop
from tests.real.sessions import RealProject, signal
from tests.replies import Tool, bash
from tests.script import SessionScript

pytestmark = pytest.mark.real

HIDES = sys.platform == "linux"  # elsewhere a process without the tag cannot be found
DETACH = """
import os, signal
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.execv('/bin/sleep', ['sleep', '{}'])
"""
FORKS = """
import os, signal, time
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(1000):  # some 20 s of processes that each live for a moment
    if os.fork():
        os._exit(0)
    time.sleep(0.02)
"""


@dataclass(frozen=True)
class Stubborn:
    """A tool call that never ends, and its hidden processes. `mark` is in their arguments."""

    mark: str

    def tool(self, hidden: bool = HIDES) -> Tool:
        """A command that starts detached orphans which ignore SIGTERM (one without environment), a
        loop of forks and a child that ignores SIGTERM."""
        detach = f"{shlex.quote(sys.executable)} -c {shlex.quote(DETACH.format(self.mark))}"
        deaf = f'(trap "" TERM; while :; do sleep {self.mark}; done) &'
        orphans = f"({detach} &); " + (f"(env -i {detach} &); " if hidden else "")
        forks = f"({shlex.quote(sys.executable)} -c {shlex.quote(FORKS)} {self.mark} &); "
        return bash(f"{orphans}{forks}{deaf} tail -f /dev/null {self.mark}.none")

    def alive(self) -> list[tuple[str, psutil.Process]]:
        """The living processes with their names. A forking one may end before its name is read."""
        found: list[tuple[str, psutil.Process]] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                dead = process.status() == psutil.STATUS_ZOMBIE
                if not dead and self.mark in " ".join(process.cmdline()):
                    found.append((process.name(), process))
        return found

    def names(self) -> list[str]:
        """The names of the living processes."""
        return [name for name, _ in self.alive()]

    def all_there(self, hidden: bool = HIDES) -> bool:
        """Whether all have started."""
        names = self.names()
        return names.count("sleep") == 2 + hidden and "tail" in names


@pytest.fixture
def stubborn() -> Generator[Stubborn]:
    """Processes of one test. All are ended after it."""
    made = Stubborn(f"4000.{time.time_ns() % 10**12}")
    yield made
    for _, process in made.alive():
        with suppress(psutil.Error):
            process.kill()


def api_for(project: RealProject, *first: Tool) -> ScriptedApi:
    """An API for two iterations: the first one runs these tools, the second one signals blocked."""
    turns = {1: list(first), 2: [signal("blocked", reason="enough")]}
    return ScriptedApi(SessionScript(turns, project.iteration))


def claude_of(loop: Loop, project: RealProject) -> psutil.Process:
    """The process of the CLI that a loop has started."""
    binary = str(project.claude.resolve())
    (found,) = [p for p in psutil.Process(loop.process.pid).children() if _program(p) == binary]
    return found


def _program(process: psutil.Process) -> str:
    """The program of a process; empty if the process has just ended."""
    try:
        return process.exe()
    except psutil.Error:
        return ""


def gone(project: RealProject, stubborn: Stubborn) -> bool:
    """Whether no process of the iteration lives."""
    return not stubborn.alive() and not project.alive


def test_ctrl_c_twice_ends_everything(project: RealProject, stubborn: Stubborn) -> None:
    """After the second Ctrl-C all processes are ended, and the record names them."""
    with api_for(project, stubborn.tool()) as api:
        project.api = api.url
        loop = project.start()
        wait_for(stubborn.all_there)
        for _ in range(2):
            loop.send(signals.SIGINT)
            time.sleep(0.2)
        printed = loop.wait().out
    assert (loop.code, project.outcomes) == (130, ["stopped"]), printed
    assert gone(project, stubborn)
    left = [entry.split()[1] for entry in project.history("iteration")[0]["left_over"]]
    assert left.count("sleep") >= 2 + HIDES, "the detached ones, and the deaf one's"


def test_a_killed_claude_is_a_crash_and_its_tools_end(
    project: RealProject, stubborn: Stubborn
) -> None:
    """If the CLI is killed, the loop ends its other processes and continues."""
    with api_for(project, stubborn.tool()) as api:
        project.api = api.url
        loop = project.start()
        wait_for(stubborn.all_there)
        claude_of(loop, project).kill()
        wait_for(lambda: project.outcomes == ["crash"])
        assert not stubborn.alive()
        assert loop.wait().code == 3
    first = project.history("iteration")[0]
    assert first["exit"] == -signals.SIGKILL and "tail" in str(first["left_over"])
    assert project.outcomes == ["crash", "blocked"]


def test_a_killed_loop_takes_its_child_along(project: RealProject, stubborn: Stubborn) -> None:
    """If the loop is killed, its child ends by itself. The next start ends the hidden processes and
    continues."""
    with api_for(project, stubborn.tool(hidden=False)) as api:
        project.api = api.url
        loop = project.start()
        wait_for(lambda: stubborn.all_there(hidden=False))
        child = claude_of(loop, project)
        loop.kill()
        wait_for(lambda: not child.is_running())
        wait_for(lambda: "tail" not in stubborn.names())
        ended = project.run()
    assert ended.code == 3, ended.out
    assert gone(project, stubborn)
    (first, second) = project.history("iteration")
    assert (first["outcome"], first["recovered"]) == ("interrupted", True)
    assert second["outcome"] == "blocked"
    assert "sleep" in str(first["left_over"])
    assert first["session_id"] == project.events(1)[0]["session_id"]
