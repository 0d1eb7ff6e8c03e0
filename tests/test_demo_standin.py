"""The demo's project, and its stand-in driven phase by phase, as the loop does it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from samocode.demo import farewell, prepare, standin
from tests.conftest import git
from tests.playing import FLAGS, SESSION_ID, Loop

NOW = datetime(2026, 1, 8, 11, 0, 7)


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    clone = tmp_path / "a clone"
    clone.mkdir()
    project = prepare(clone, NOW)
    session = project.folder / "sessions/26-01-08-demo"
    session.mkdir()
    (session / "_task.md").write_text(project.task)
    (session / "_overview.md").write_text("# demo\n\n## Status\nPhase: investigation\n")
    worktree = project.folder / "worktrees/26-01-08-demo"
    branch = "samocode/26-01-08-demo"
    git("worktree", "add", "-q", "-b", branch, str(worktree), cwd=project.folder / "repo")
    return Loop(project, session, worktree)


def unittest(folder: Path) -> int:
    command = [sys.executable, "-m", "unittest"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def settings(config: Path) -> Mapping[str, str]:
    lines = [line for line in config.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_prepare_makes_a_real_project_with_a_failing_test(loop: Loop) -> None:
    project = loop.project
    assert project.folder == project.config.parent
    assert project.folder.parent.name == ".demo"
    assert project.folder.name == "0108-110007"
    found = settings(project.config)
    assert "SETUP" not in found
    repo = project.folder / found["MAIN_REPO"]
    assert git("status", "--short", cwd=repo) == ""
    assert git("log", "--format=%ae", cwd=repo) == "demo@samocode.invalid"
    assert git("config", "--local", "user.name", cwd=repo)
    assert unittest(repo) == 1
    verify = subprocess.run(["/bin/sh", "-c", found["VERIFY"]], cwd=loop.worktree, check=False)
    assert verify.returncode == 1


def test_nothing_of_the_user_reaches_the_stand_in(loop: Loop) -> None:
    assert set(loop.project.environ) == {"PATH", "HOME", "LANG"}
    assert loop.project.environ["HOME"] == str(loop.project.folder / "home")
    assert os.environ["HOME"] not in loop.project.environ["PATH"]


def test_two_demos_in_one_second_do_not_meet(loop: Loop) -> None:
    second = prepare(loop.project.folder.parents[1], NOW)
    assert second.folder != loop.project.folder
    assert unittest(second.folder / "repo") == 1


@pytest.mark.parametrize(
    ("answers", "long", "none"),
    [
        (("A", "A"), "a-very-long", "untitled"),
        (("b", "B) please"), "a-very-long-t", "ValueError"),
        (("A, it fits", "b."), "a-very-long", "ValueError"),
        (("as you think", "whatever"), "a-very-long", "untitled"),
    ],
)
def test_the_answers_decide_what_is_built(
    loop: Loop, answers: tuple[str, str], long: str, none: str
) -> None:
    plan = loop.to_plan(*answers)
    assert git("status", "--short", cwd=loop.worktree) == ""
    loop.ask_approval(3, plan)
    loop.answer("yes")
    told = {"approved_plan": plan}
    assert loop.run("implementation", **told) == {"status": "continue", "phase": "implementation"}
    assert loop.run("implementation", **told) == {"status": "continue", "phase": "testing"}
    assert loop.run("testing", **told) == {"status": "continue", "phase": "quality"}
    assert loop.run("quality", **told) == {"status": "continue", "phase": "done"}
    signal = loop.run("done", **told)
    assert signal["status"] == "done"
    assert "2 commits" in signal["summary"]

    assert loop.python("print(slugify('A very long title', limit=13))") == long
    assert none in loop.python("print(slugify('!!!'))")
    assert unittest(loop.worktree) == 0
    assert git("status", "--short", cwd=loop.worktree) == ""
    assert git("rev-list", "--count", "main..HEAD", cwd=loop.worktree) == "2"
    assert "- [ ]" not in loop.texts("*-plan-*")
    assert "Verdict: good" in loop.texts("*-review-*")
    for answer in answers:
        assert answer in loop.texts("*-requirements-*")
    left = {file.name for file in loop.session.iterdir()}
    assert not {"_check", "_signal.json.tmp"} & left
    overview = (loop.session / "_overview.md").read_text()
    assert "Phase: done" in overview
    assert overview.count("\n- 01-08-11:00 [") == 9
    assert len(overview) < 8192
    assert 5 < sum(loop.paused) < 20

    repo = loop.project.folder / "repo"
    git("merge", "-q", "samocode/26-01-08-demo", cwd=repo)
    assert unittest(repo) == 0


def test_a_refused_plan_comes_back_with_the_humans_words(loop: Loop) -> None:
    first = loop.to_plan("A", "A")
    loop.ask_approval(3, first)
    loop.answer("B: say in the README that 40 is the default")
    signal = loop.run("planning", notes=["The human wants the plan changed."])
    assert signal == {"status": "waiting", "for": "plan_approval", "plan": signal["plan"]}
    assert signal["plan"] != first
    plan = (loop.session / signal["plan"]).read_text()
    assert "Changed: say in the README that 40 is the default" in plan
    assert git("rev-list", "--count", "main..HEAD", cwd=loop.worktree) == "0"
    loop.ask_approval(4, signal["plan"])
    loop.answer("approve")
    told = {"approved_plan": signal["plan"]}
    ends = [loop.run("implementation", **told)["phase"] for _ in range(3)]
    assert ends == ["implementation", "implementation", "testing"]
    assert "40 is the default" in (loop.worktree / "README.md").read_text()
    assert "40 is the default" in loop.run("done", **told)["summary"]
    assert git("status", "--short", cwd=loop.worktree) == ""


def test_a_note_alone_changes_the_plan_too(loop: Loop) -> None:
    loop.to_plan("A", "A")
    signal = loop.run("planning", notes=["make it 60"])
    assert "Changed: make it 60" in (loop.session / signal["plan"]).read_text()


def test_a_failing_command_is_blocked_with_its_output(loop: Loop) -> None:
    plan = loop.to_plan("A", "A")
    (loop.worktree / "tests/test_broken.py").write_text("raise SystemError('broken here')\n")
    signal = loop.run("implementation", approved_plan=plan)
    assert signal["status"] == "blocked"
    assert "python -m unittest failed" in signal["reason"]


def test_the_events_are_those_of_the_real_cli(loop: Loop) -> None:
    loop.run("investigation")
    first, *between, last = loop.events
    assert (first["type"], first["subtype"]) == ("system", "init")
    assert first["model"] == "opus"
    assert first["permissionMode"] == "bypassPermissions"
    assert (last["type"], last["subtype"], last["is_error"]) == ("result", "success", False)
    assert last["total_cost_usd"] == 0
    assert last["permission_denials"] == []
    assert {event["session_id"] for event in loop.events} == {SESSION_ID}
    blocks = [block for event in between for block in event["message"]["content"]]
    used = [block["id"] for block in blocks if block["type"] == "tool_use"]
    answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    assert used == answered
    assert len(set(used)) == len(used)
    (run,) = [block for block in blocks if block.get("name") == "Bash"]
    assert run["input"]["command"] == "python -m unittest"


def test_the_executable_runs_the_stop_hook(loop: Loop) -> None:
    """As the loop starts it: a command line, the prompt on stdin, a hook in --settings."""
    heard = loop.session / "heard"
    hook = f"cat > '{heard}'; echo no such phase >&2; exit 2"
    hooks = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": hook}]}]}}
    facts = {"iteration": 1, "phase": "done", "stamp": "01-08-11:00"}
    (loop.session / "_iteration.json").write_text(json.dumps(facts))
    done = subprocess.run(
        [loop.project.claude, *FLAGS, "--settings", json.dumps(hooks)],
        cwd=loop.worktree,
        env=dict(loop.project.environ),
        input=f"workflow\nSession folder: {loop.session}\nCommands folder: C\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(heard.read_text())["cwd"] == str(loop.worktree)
    assert "no such phase" in done.stdout
    assert json.loads((loop.session / "_signal.json").read_text())["status"] == "done"


def test_a_prompt_without_a_session_is_refused(loop: Loop) -> None:
    world = standin.World(
        loop.worktree, {}, io.StringIO("hello"), io.StringIO(), loop.paused.append
    )
    assert standin.main(FLAGS, world) == 1


def test_the_farewell_names_what_is_there(loop: Loop) -> None:
    words = farewell(loop.project)
    assert str(loop.session.relative_to(loop.project.folder)) in words
    merge = next(line for line in words.splitlines() if "git merge" in line)
    look = next(line for line in words.splitlines() if "git diff" in line)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{look.strip()}\n{merge.strip()}"], capture_output=True, check=False
    )
    assert b"FAILED (errors=1)" in done.stderr  # nothing was built yet: the merge is empty
