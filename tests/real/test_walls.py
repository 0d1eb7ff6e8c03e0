"""The walls (permission rules) of a session, in the whole loop with the real CLI."""

import json
import os
import pwd
import shlex
import sys
from pathlib import Path

import pytest

from samocode.settings.clone import COMMANDS
from tests.api import ScriptedApi
from tests.conftest import git
from tests.real.sessions import RealProject, artifact, session_of, signal
from tests.replies import Text, Tool, Usage, bash, write
from tests.script import Answer, Request, SessionScript, Turns, tool_results

pytestmark = pytest.mark.real

TESTS = f"{shlex.quote(sys.executable)} -m unittest"
QUESTION = {"title": "Where?", "why": "It matters.", "suggested": "into a.py"}
BUILD = f"mkdir build && touch build/a && {TESTS} 2>&1 | tee build/log && git restore ."
CALL = sum(Usage().as_json().values())  # tokens of one answer
COMMIT = bash("git commit --quiet --allow-empty -m More")
PUSH = bash("git push origin HEAD")
APPROVE = signal("waiting", wait="plan_approval", plan="plan.md")


def on_qa(act: str) -> Answer:
    """A shell command on `_qa.md`."""
    return lambda request: bash(act.format(session_of(request) / "_qa.md"))


def edit(request: Request) -> Tool:
    """A call of the Edit tool on `_qa.md`."""
    page = str(session_of(request) / "_qa.md")
    return Tool("Edit", {"file_path": page, "old_string": "Answer:", "new_string": "Answer: A"})


REFUSED: list[Answer | Tool] = [
    edit,
    on_qa("echo x > {}"),
    on_qa("echo x | tee -a {}"),
    lambda request: write(session_of(request) / "_inbox/1.json", "{}"),
    PUSH,
    bash("echo >> a.py; git stash"),
    COMMIT,
]
STORY: Turns = {
    1: [
        Tool("Read", {"file_path": str(COMMANDS / "dive.md")}),
        bash(BUILD),
        signal("waiting", wait="qa_answers", questions=[QUESTION], phase="planning"),
    ],
    2: [
        *REFUSED,
        artifact("plan.md", "# Plan"),
        signal("waiting", wait="plan_approval", plan="plan.md"),
    ],
    3: [COMMIT, PUSH, Text("All done!"), signal("continue", phase="done")],
    4: [signal("done", summary="s")],
}


@pytest.mark.parametrize("mode", ["bypassPermissions", "acceptEdits"])
def test_the_walls_of_a_session(project: RealProject, mode: str) -> None:
    """A dive can build and test. Writes to the loop's files, push and stash are denied with a
    reason, and so is a commit until the plan is approved. The Stop hook (also with the user's
    `disableAllHooks`), the signal and the prompt cache work as without walls. The record has the
    CLI's cost, and the CLI writes only into the test's HOME."""
    project.fast = False
    allowed = {"CLAUDE_ARGS": "--allowedTools Bash"} if mode == "acceptEdits" else {}
    project.extra = {"CLAUDE_PERMISSION_MODE": mode} | allowed
    home = project.settings({"disableAllHooks": True})
    bare = project.folder / "remote.git"
    git("init", "--quiet", "--bare", str(bare), cwd=project.folder)
    git("remote", "add", "origin", str(bare), cwd=project.repo)
    with ScriptedApi(SessionScript(STORY, project.iteration)) as api:
        project.api = api.url
        loop = project.start()
        project.answer(1, "B")
        project.answer(2, "yes")
        printed = loop.wait().out
    assert (loop.code, project.outcomes[-1]) == (0, "done"), printed
    assert any("A dive answers one question" in json.dumps(r["messages"][1:]) for r in api.requests)
    dive, attack, work, _ = lines = project.history("iteration")
    assert "denied" not in dive and (project.worktree / "build/log").exists()
    assert attack["denied"] == ["Edit", "Bash", "Bash", "Write", "Bash", "Bash", "Bash"]
    (last,) = [r for r in api.requests if len(tool_results(r)) == len(REFUSED)]
    assert all("denied" in words for words in tool_results(last))
    assert [line["text"] for line in project.history("answer")] == ["B", "yes"]
    assert work["denied"] == ["Bash"]
    assert git("log", "--format=%s", "main..", cwd=project.worktree) == "More"
    assert git("for-each-ref", cwd=bare) == "" == git("stash", "list", cwd=project.repo)
    assert any("No _signal.json" in json.dumps(r["messages"][-1]) for r in api.requests)
    assert sum(line["tokens"] for line in lines) == CALL * len(api.requests)
    for line in lines:
        (result,) = [e for e in project.events(line["n"]) if e["type"] == "result"]
        assert line["cost_usd"] == result["total_cost_usd"] > 0
    (kept,) = (home / "projects").iterdir()
    assert {path.stem for path in kept.glob("*.jsonl")} == {line["session_id"] for line in lines}
    real = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert not (real / ".claude/projects" / kept.name).exists() and project.alive == []
    fixed = {json.dumps([r["system"], r["tools"], r["messages"][0]]) for r in api.requests}
    assert len(fixed) == 1, "the walls, and their change, are no part of a request"
