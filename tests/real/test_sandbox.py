"""A whole session in Claude's own sandbox, with the settings in README."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from bench.tokens import first_requests
from samocode.check.habits import BOX
from samocode.settings.clone import COMMANDS
from tests.api import ScriptedApi
from tests.conftest import git
from tests.outer.stage import ROOT
from tests.real.sessions import RealProject, artifact, signal
from tests.real.test_tokens import cached
from tests.replies import Reply, Text, Tool, bash, write
from tests.script import Answer, SessionScript, Turns, tool_results

SECURITY = (ROOT / "README.md").read_text().partition("\n## Security\n")[2].partition("\n## ")[0]
SETTINGS, ENV = (SECURITY.split("```")[n].removeprefix("json\n") for n in (1, 3))
COMMIT = "git commit --quiet --allow-empty -m More"
QUESTION = {"title": "Where?", "why": "It matters.", "suggested": "here"}


def lacking() -> str:
    """Why the sandbox cannot be tested here, or ""."""
    if sys.platform != "linux":
        return f"only tried on Linux, not on {sys.platform}"
    if missing := [name for name in ("bwrap", "socat") if not shutil.which(name)]:
        return f"not installed: {', '.join(missing)}"
    probe = [*BOX, "--proc", "/proc", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=30, check=False)
    return f"no namespaces: {done.stderr.strip()}" if done.returncode else ""


pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(lacking()), reason=lacking())]


@pytest.fixture
def short() -> Generator[str]:
    """A short TMPDIR, since paths of the sandbox's sockets have at most 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="s-", dir="/tmp") as folder:
        yield folder


def attack(project: RealProject) -> tuple[list[Tool], list[Path]]:
    """The attacks of a child, and the files that they would make, by commands and by Write."""
    home, repo = project.folder / "home", project.repo
    paths = [repo / "a", repo / ".git/hooks/pre-commit", home / "b", COMMANDS / "c"]
    unwalled = {"command": f"echo x > '{home}/d'", "dangerouslyDisableSandbox": True}
    tries = [*(bash(f"echo x > '{path}'") for path in paths), Tool("Bash", unwalled)]
    tools = [repo / "e", home / "f"]
    tries += [write(path, "x") for path in tools]
    return tries, [*paths, home / "d", *tools]


@pytest.mark.parametrize(
    ("where", "mode"), [("user", "acceptEdits"), ("project", "bypassPermissions")]
)
def test_a_session_in_the_sandbox(project: RealProject, short: str, where: str, mode: str) -> None:
    """Signal, commit and Stop hook work. Commands cannot write to the main checkout, its hooks,
    HOME or elsewhere, and cannot read an ssh key. Claude's file tools and the network are
    restricted only in mode acceptEdits. The view says that the sandbox is on."""
    home = project.folder / "home"
    place = {"user": home, "project": project.repo}[where] / ".claude"
    place.mkdir(parents=True)
    (place / "settings.json").write_text(SETTINGS)
    if where == "project":
        git("add", ".", cwd=project.repo)
        git("commit", "--quiet", "--message=Settings", cwd=project.repo)
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    (home / ".ssh/id").write_text("PRIVATE")
    lines = dict(line.split("=", 1) for line in ENV.split("\n") if line)
    args = shlex.split(lines["CLAUDE_ARGS"])[0]
    assert lines["CLAUDE_PERMISSION_MODE"] == "acceptEdits"
    project.extra = {"CLAUDE_PERMISSION_MODE": mode, "TMPDIR": short}
    if mode == "acceptEdits":
        project.extra["CLAUDE_ARGS"] = args
    tries, files = attack(project)
    looks = [bash("cat ~/.ssh/id"), bash("curl -sS -m 60 http://example.com")]
    work: list[Reply | Answer] = [*tries, *looks, bash(f"(setsid sleep 4000 &); {COMMIT}")]
    turns: Turns = {
        1: [signal("waiting", wait="qa_answers", questions=[QUESTION], phase="planning")],
        2: [artifact("plan.md", "# Plan"), signal("waiting", wait="plan_approval", plan="plan.md")],
        3: [*work, Text("All done!"), signal("continue", phase="done")],
        4: [signal("done", summary="s")],
    }
    project.fast = False
    with ScriptedApi(SessionScript(turns, project.iteration)) as api:
        project.api = api.url
        ended = project.begin("--yes")
    assert project.outcomes[-1] == "done", ended.out
    assert f"permission mode {mode}, sandbox on" in ended.out
    assert all(line["init"]["sandbox"] for line in project.history("iteration"))
    assert git("log", "--format=%s", "main..", cwd=project.worktree) == "More"
    held = len(tries) if mode == "acceptEdits" else len(tries) - 2
    assert [path.exists() for path in files] == [False] * held + [True] * (len(tries) - held)
    results = next(tool_results(r) for r in api.requests if len(tool_results(r)) == len(work))
    refused = re.compile("Read-only file system|which is a sensitive file")
    assert all(map(refused.search, results[:5])), results
    network = "deny network-outbound example.com" in results[-2]
    assert ("PRIVATE" in results[-3], network) == (False, mode == "acceptEdits"), results
    assert any("No _signal.json" in json.dumps(r["messages"][-1]) for r in api.requests)
    git("config", "user.name", "Me", cwd=project.repo)  # the sandbox left no lock there
    assert project.alive == [] and "changed meanwhile" not in ended.out
    texts = [cached(request) for request in first_requests(api.requests)]
    assert [texts.index(text) for text in texts] == [0, 0, 2, 2], "one change, by the approval"
