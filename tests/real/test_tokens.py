"""What the first request of an iteration costs, and that it comes from the prompt cache."""

from __future__ import annotations

import json

import pytest

from bench.tokens import LIMIT, blocks, first_requests, parts, size
from samocode.child.walls import UNUSED_AGENTS
from tests.api import ScriptedApi
from tests.conftest import git
from tests.prompts import WORKFLOW
from tests.real.sessions import RealProject, artifact, signal
from tests.replies import Tool, bash
from tests.script import Request, SessionScript, tool_results

pytestmark = pytest.mark.real

COMMIT = bash("echo >> a.py && git commit --quiet --all --message=More")
FORK = [
    Tool("Agent", {"description": "d", "prompt": "p", "subagent_type": kind})
    for kind in ("fork", "Plan", "Explore")
]
TURNS = {
    1: [signal("continue", phase="requirements")],
    2: [signal("continue", phase="planning")],
    3: [artifact("plan.md", "# Plan"), signal("waiting", wait="plan_approval", plan="plan.md")],
    4: [*FORK, COMMIT, signal("continue")],
    5: [COMMIT, signal("continue", phase="testing")],
    6: [signal("continue", phase="done")],
    7: [signal("done", summary="s")],
}


def cached(request: Request) -> str:
    """What the API compares to find a request in its cache. Assert that the last breakpoint is at
    the end, so this is the whole request."""
    given = [block for _, block in blocks(request)]
    assert "cache_control" in given[-1]
    settings = [request[key] for key in ("model", "thinking", "output_config")]
    return json.dumps([settings, given])


def test_only_a_change_of_model_misses_the_cache(project: RealProject) -> None:
    """Only another model changes the first request of an iteration; an approval and commits do not.
    It has the whole prompt, at most 7.0k tokens, and no helper that the prompts do not use."""
    project.extra = {"SAMOCODE_PHASE_MODELS": "implementation=sonnet:low"}
    with ScriptedApi(SessionScript(TURNS, project.iteration)) as api:
        project.api = api.url
        ended = project.begin("--yes")
    assert project.outcomes[-1] == "done", ended.out
    assert git("rev-list", "--count", "main..", cwd=project.worktree) == "2"
    first = first_requests(api.requests)
    texts = [cached(request) for request in first]
    assert [texts.index(text) for text in texts] == [0, 0, 0, 3, 3, 0, 0]
    assert max(map(size, first)) <= LIMIT, "\n".join(map(str, parts(first[0])))
    assert WORKFLOW in "".join(block.get("text", "") for _, block in blocks(first[0]))
    assert not any(f"- {kind}: " in texts[0] for kind in UNUSED_AGENTS)
    results = next(tool_results(r) for r in api.requests if len(tool_results(r)) == len(FORK))
    assert ["hand-back" in result for result in results] == [False, False, True], results
