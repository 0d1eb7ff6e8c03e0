"""The same promises with the real Claude CLI; only the model is a script."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import sys
from pathlib import Path

import pytest

from tests.api import ScriptedApi
from tests.conftest import git
from tests.outer import speech
from tests.outer.speech import wait_for
from tests.outer.stage import HERE
from tests.real.conftest import claude, project
from tests.real.sessions import RealProject, artifact, signal
from tests.replies import Tool, Usage, bash
from tests.script import SessionScript

__all__ = ["claude", "project"]  # the fixtures
pytestmark = pytest.mark.real
CALL = sum(Usage().as_json().values())  # tokens of one answer


def ask(*titles: str) -> Tool:
    """The child asks."""
    return bash(shlex.join([sys.executable, str(HERE / "speech.py"), "ask", *titles]))


def test_a_whole_session_through_both_gates(project: RealProject) -> None:
    """The human answers and approves in the page; one commit on the branch, exit 0. The record has
    the cost that the CLI named, and what the CLI keeps lies in the test's HOME alone."""
    project.fast = False
    turns = {
        1: [artifact("dive.md", "# Dive"), ask("Which?")],
        2: [bash('cat "$SAMOCODE_RUN"/_qa.md'), signal("continue", phase="planning")],
        3: [artifact("plan.md", "# Plan"), signal("waiting", wait="plan_approval", plan="plan.md")],
        4: [
            bash("echo x > new.py && git add new.py && git commit -qm new"),
            signal("continue", phase="done"),
        ],
        5: [signal("done", summary="It works.")],
    }
    with ScriptedApi(SessionScript(turns, project.iteration)) as api:
        project.api = api.url
        loop = project.start()
        wait_for(lambda: list((project.folder / "sessions").glob("[!.]*/_qa.md")))
        speech.answer(project.session, 1, "the second, please")
        speech.approve(project.session)
        printed = loop.wait().out
    assert loop.code == 0 and "It works." in printed
    assert "the second, please" in json.dumps([r["messages"] for r in api.requests])
    assert [text for _, text, _ in speech.answers(project.session)] == ["the second, please", "yes"]
    branch = f"main..samocode/{project.session.name}"
    assert git("log", "--format=%s", branch, cwd=project.repo) == "new"
    assert project.alive == []
    lines = speech.iterations(project.session)
    assert sum(line["tokens"] for line in lines) == CALL * len(api.requests)
    for line in lines:
        (result,) = [e for e in project.events(line["n"]) if e["type"] == "result"]
        assert line["cost_usd"] == result["total_cost_usd"] > 0
    (kept,) = (project.folder / "home/.claude/projects").iterdir()
    assert {path.stem for path in kept.glob("*.jsonl")} == {line["session_id"] for line in lines}
    real = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert not (real / ".claude/projects" / kept.name).exists()
