"""Whole sessions: the real loop, the real CLI, real git; only the model is a script."""

import json
import os
import pwd
import re
import sys
import time
from pathlib import Path

import pytest

from samocode.child.command import NESTED_RUN
from tests.api import (
    Reply,
    Request,
    ScriptedApi,
    SessionScript,
    Text,
    Turn,
    Turns,
    Usage,
    said,
)
from tests.conftest import git
from tests.harness import ROOT, wait_for
from tests.real.sessions import (
    MAIN,
    SESSION,
    TRIPLE,
    RealProject,
    prompt_of,
    signal,
)
from tests.replies import bash
from tests.telegram_api import TelegramApi

pytestmark = pytest.mark.real

CALL = sum(Usage().as_json().values())  # tokens of one answer


def test_from_investigation_to_done(project: RealProject, repo: Path) -> None:
    """Both gates answered in the file; one commit on the branch, the main checkout untouched."""
    before = checkout(repo)
    project.program = MAIN
    with ScriptedApi(SessionScript(SESSION, project.iteration)) as api, TelegramApi() as phone:
        project.api, project.extra = api.url, phone.environ
        loop = project.start("--dive", "the numbers", task="add triple")
        wait_for(lambda: phone.find("Q1: "), 60)
        project.answer(1, "B")
        wait_for(lambda: len(project.history("answer")) == 1)
        waited = [answered(project, 2, "into a.py, below double")]
        wait_for(lambda: phone.find("Q3: "), 60)
        waited.append(answered(project, 3, "Yes."))
        printed = loop.communicate(timeout=60)[0]
        asked = len(api.requests)
        assert loop.returncode == 0, printed
        assert project.run().returncode == 0, "a done session is only shown"
    assert max(waited) < 2, f"the loop goes on within 2 s of the last answer: {waited}"
    check_road(project)
    check_work(project, repo, before)
    check_history(project, api.requests)
    check_requests(api.requests)
    assert len(api.requests) == asked
    asked_for = [text for text in phone.texts if " · Q" in text and "Or reply" in text]
    assert len(asked_for) == 3 and " · done" in phone.texts[-1]
    assert project.marked() == []
    check_home(project)


def answered(project: RealProject, number: int, text: str) -> float:
    """Give the last answer; the seconds until the next child is started."""
    before, began = project.iteration(), time.monotonic()
    project.answer(number, text)
    wait_for(lambda: project.iteration() > before)
    return time.monotonic() - began


def checkout(repo: Path) -> tuple[str, ...]:
    """What a person would notice in the own checkout."""
    looks = ("rev-parse HEAD", "branch --show-current", "status --porcelain", "stash list")
    files = [path.read_text() for path in sorted(repo.iterdir()) if path.is_file()]
    return (*(git(*look.split(), cwd=repo) for look in looks), *files)


def only(project: RealProject, kind: str) -> str:
    """The text of the only artifact of its kind."""
    (found,) = project.session.glob(f"*-{kind}.md")
    return found.read_text()


def check_road(project: RealProject) -> None:
    """The phases in their order, what a person said, and what each iteration left."""
    assert [(line["phase"], line["outcome"]) for line in project.history("iteration")] == [
        ("investigation", "continue"),
        ("requirements", "waiting"),
        ("requirements", "continue"),
        ("planning", "waiting"),
        ("implementation", "continue"),
        ("testing", "continue"),
        ("quality", "continue"),
        ("done", "done"),
    ]
    said = [(line["id"], line["text"], line["by"]) for line in project.history("answer")]
    where = "into a.py, below double"
    assert said == [(1, "B", "file"), (2, where, "file"), (3, "Yes.", "file")]
    requirements = only(project, "requirements-triple")
    assert "Answer: B" in requirements and f"Answer: {where}" in requirements
    assert "Q2 is answered" in requirements, "the notes of _iteration.json tell it too"
    assert re.search(r"Ran 2 tests in .*\n\nOK", only(project, "test-triple"))


def check_work(project: RealProject, repo: Path, before: tuple[str, ...]) -> None:
    """One commit on the session's branch; the human's checkout is as it was."""
    branch = f"samocode/{project.session.name}"
    assert git("log", "--format=%s", f"main..{branch}", cwd=repo) == "Add triple"
    assert TRIPLE in git("show", f"{branch}:a.py", cwd=repo) + "\n"
    assert git("status", "--porcelain", cwd=project.worktree) == ""
    assert checkout(repo) == before


def check_history(project: RealProject, requests: list[Request]) -> None:
    """What each line says of its run is what the CLI itself said."""
    lines = project.history("iteration")
    starts = [index for index, request in enumerate(requests) if said(request) == 0]
    calls = [end - start for start, end in zip(starts, [*starts[1:], len(requests)], strict=True)]
    assert [line["tokens"] for line in lines] == [CALL * count for count in calls]
    for line in lines:
        events = project.events(line["n"])
        assert {e["session_id"] for e in events if "session_id" in e} == {line["session_id"]}
        (result,) = [event for event in events if event["type"] == "result"]
        assert line["cost_usd"] == result["total_cost_usd"] > 0
        assert (line["exit"], line["left_over"]) == (0, [])
        log = project.session / "_logs" / line["log"]
        assert log.with_suffix(".stderr").read_text() == ""
    assert len({line["session_id"] for line in lines}) == len(lines)


def check_requests(requests: list[Request]) -> None:
    """What a request begins with never changes, whatever phase and approval the walls follow: all
    of it comes from the prompt cache. The workflow is in it word for word."""
    parts = ("tools", "system", "model")
    fixed = {json.dumps([*(r[p] for p in parts), r["messages"][0]]) for r in requests}
    assert len(fixed) == 1
    assert (ROOT / "workflow.md").read_text() in prompt_of(requests[0])


def check_home(project: RealProject) -> None:
    """What the CLI keeps of its runs lies in the test's HOME, and nowhere in the person's."""
    ids = {line["session_id"] for line in project.history("iteration")}
    kept = project.folder / "home/.claude/projects"
    assert {path.stem for path in kept.glob("*/*.jsonl")} == ids
    (flat,) = kept.iterdir()
    real = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert not (real / ".claude/projects" / flat.name).exists()


WRONG = bash('echo \'{"status": "finished"}\' > "$SAMOCODE_RUN/_signal.json"')
GO_ON = signal("continue")


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([Text("All done!"), GO_ON], "No _signal.json"),
        ([WRONG, Text("All done!"), GO_ON], "`status` must be one of continue"),
        (
            [Turn((bash("echo >> a.py"), GO_ON)), Text("All done!"), bash("git restore a.py")],
            "Restore what you changed: a.py",
        ),
    ],
    ids=["forgotten", "wrong", "code"],
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
    """The tools' own: nothing of an outer run or of Telegram, and the mark of the session.

    The CLI tells its tools CLAUDECODE=1 and more of its own: only the outer values must be gone.
    """
    outer = dict.fromkeys(NESTED_RUN, "outer")
    show = bash(
        'env -0 > "$SAMOCODE_RUN/env"; cp /proc/$PPID/environ "$SAMOCODE_RUN/env-of-claude"'
    )
    turns: Turns = {1: [show, signal("done", summary="s")]}
    with ScriptedApi(SessionScript(turns, project.iteration)) as api, TelegramApi() as phone:
        project.api, project.extra = api.url, phone.environ | outer
        assert project.run(task="t").returncode == 0
    seen = [environment(file) for file in sorted(project.session.glob("env*"))]
    for environ in seen:
        assert "outer" not in environ.values()
        assert not [name for name in environ if name.startswith("TELEGRAM_")]
        assert environ["SAMOCODE_RUN"] == str(project.session)
        assert environ["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"] == "1"
    if sys.platform == "linux":
        assert not seen[1].keys() & {*NESTED_RUN}, "claude itself was given none of them"


def environment(file: Path) -> dict[str, str]:
    """What `env -0`, or the system, says of a process."""
    lines = (line.partition("=") for line in file.read_text().split("\0") if line)
    return {name: value for name, _, value in lines}
