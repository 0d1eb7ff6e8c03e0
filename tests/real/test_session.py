"""Whole sessions: the real loop, the real CLI, real git; only the model is a script."""

import json
import sys
from pathlib import Path

import pytest

from samocode.child.command import NESTED_RUN
from tests.api import ScriptedApi
from tests.conftest import git
from tests.real.sessions import (
    RealProject,
    signal,
)
from tests.replies import Reply, Text, Turn, bash
from tests.script import SessionScript, Turns

pytestmark = pytest.mark.real

GO_ON = signal("continue")


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([Text("All done!"), GO_ON], "No _signal.json"),
        (
            [Turn((bash("echo >> a.py"), GO_ON)), Text("All done!"), bash("git restore a.py")],
            "Restore what you changed: a.py",
        ),
    ],
    ids=["forgotten", "code"],
)
def test_the_hook_sends_a_child_back(project: RealProject, turns: list[Reply], words: str) -> None:
    """What it says is in the very next request; corrected, the iteration counts as any other."""
    with ScriptedApi(SessionScript({1: turns}, project.iteration)) as api:
        project.api = api.url
        ended = project.run("--max-iterations", "1", task="t")
    assert (ended.returncode, project.outcomes()) == (5, ["continue"]), ended.stdout
    back = turns.index(Text("All done!")) + 1
    heard = [words in json.dumps(request["messages"][-1]) for request in api.requests]
    assert heard == [index == back for index in range(len(turns) + 1)]
    assert git("status", "--porcelain", cwd=project.worktree) == ""


def test_a_child_that_never_heeds_the_hook(project: RealProject) -> None:
    """The CLI lets it end after 8 times, and it is no `continue`."""
    with ScriptedApi([Text("All done!")]) as api:
        project.api = api.url
        ended = project.run("--max-iterations", "1", task="t")
    assert (ended.returncode, project.outcomes()) == (5, ["no_signal"]), ended.stdout
    assert len(api.requests) == 9


def test_the_environment_of_a_child(project: RealProject) -> None:
    """The tools' own: nothing of an outer run, and the mark of the session.

    The CLI tells its tools CLAUDECODE=1 and more of its own: only the outer values must be gone.
    """
    outer: dict[str, str] = dict.fromkeys(NESTED_RUN, "outer")
    show = bash(
        'env -0 > "$SAMOCODE_RUN/env"; cp /proc/$PPID/environ "$SAMOCODE_RUN/env-of-claude"'
    )
    turns: Turns = {1: [show, signal("done", summary="s")]}
    with ScriptedApi(SessionScript(turns, project.iteration)) as api:
        project.api, project.extra = api.url, dict(outer)
        assert project.run(task="t").returncode == 0
    seen = [environment(file) for file in sorted(project.session.glob("env*"))]
    for environ in seen:
        assert "outer" not in environ.values()
        assert environ["SAMOCODE_RUN"] == str(project.session)
        assert environ["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"] == "1"
    if sys.platform == "linux":
        assert not seen[1].keys() & {*NESTED_RUN}, "claude itself was given none of them"


def environment(file: Path) -> dict[str, str]:
    """What `env -0`, or the system, says of a process."""
    lines = (line.partition("=") for line in file.read_text().split("\0") if line)
    return {name: value for name, _, value in lines}
