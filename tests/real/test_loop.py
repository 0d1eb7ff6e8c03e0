"""The whole loop with the real CLI: the environment of a child, caps, and the user's hooks."""

import sys
import time
from pathlib import Path

import pytest

from samocode.child.command import NESTED_RUN
from tests.api import ScriptedApi
from tests.real.cli import as_nobody, as_subscriber
from tests.real.sessions import NO_RETRY, RealProject, signal
from tests.replies import Text, Turn, bash, limit_headers
from tests.script import SessionScript

pytestmark = pytest.mark.real

DONE = signal("done", summary="It works.")


def test_no_cloud_credentials_block(project: RealProject) -> None:
    """Missing cloud credentials block at once, although their status is null as in an outage."""
    cloud = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-east-1"}
    nowhere = {"ANTHROPIC_BEDROCK_BASE_URL": "http://127.0.0.1:9"}
    local = {"AWS_EC2_METADATA_DISABLED": "true"} | nowhere
    project.login = lambda env: as_nobody(env) | cloud | local | NO_RETRY
    ended = project.begin()
    assert (ended.code, project.outcomes) == (3, ["auth"]), ended.out
    assert "aws sso login" in ended.out


@pytest.mark.parametrize("signalled", [True, False])
def test_the_cap_on_turns(project: RealProject, signalled: bool) -> None:
    """At --max-turns a written signal counts. Without one, the next iteration is told, and the
    third one blocks."""
    project.extra = {"CLAUDE_ARGS": "--max-turns 1"}
    with ScriptedApi([DONE if signalled else bash("true")]) as api:
        project.api = api.url
        ended = project.begin()
    lines = project.history("iteration")
    assert [line["exit"] for line in lines] == [1] * len(lines), "the CLI ended by its cap"
    expected = (0, ["done"]) if signalled else (3, ["no_signal"] * 3)
    assert (ended.code, project.outcomes) == expected, ended.out
    told = "It reached --max-turns" in (project.session / "_iteration.json").read_text()
    assert told is not signalled


def test_the_cap_on_cost(project: RealProject) -> None:
    """The CLI ends at its budget, which it exceeds by at most one answer. After two iterations the
    exit code is 5, and only a higher cap continues."""
    with ScriptedApi([bash("true")]) as api:
        project.api = api.url
        ended = project.begin("--max-cost", "0.002")
        assert (ended.code, project.outcomes) == (5, ["budget"] * 2), ended.out
        first, second = (line["cost_usd"] for line in project.history("iteration"))
        assert 0.002 <= first + second < 0.002 + first  # one answer each
        asked = len(api.requests)
        assert project.run("--max-cost", "0.002").code == 5
        assert len(api.requests) == asked
    with ScriptedApi([DONE, Text("Done.")]) as api:
        project.api = api.url
        assert project.run("--max-cost", "0.02").code == 0


def test_an_answer_longer_than_the_output_limit(project: RealProject) -> None:
    """It does not count as an outage, which would be retried for hours. The next iteration is told,
    and the third one blocks."""
    cut = Turn((Text("Half a wor"),), stop="max_tokens")
    with ScriptedApi([cut]) as api:
        project.api = api.url
        ended = project.begin()
    assert (ended.code, project.outcomes) == (3, ["no_signal"] * 3), ended.out
    assert "smaller pieces" in project.history("iteration")[0]["note"]


def test_extra_usage_goes_on(project: RealProject) -> None:
    """The loop continues if the usage limit is reached but the account pays for extra usage."""
    paid = limit_headers("rejected", int(time.time()) + 3600) | {
        "anthropic-ratelimit-unified-overage-status": "allowed",
        "anthropic-ratelimit-unified-overage-in-use": "true",
    }
    project.login = as_subscriber
    ready, said = Turn((signal("continue"),), headers=paid), Turn((Text("Ok."),), headers=paid)
    with ScriptedApi([ready, said, DONE, said]) as api:
        project.api = api.url
        ended = project.begin()
    assert (ended.code, project.outcomes) == (0, ["continue", "done"]), ended.out
    log = next((project.session / "_logs").glob("001-*.jsonl")).read_text()
    assert '"isUsingOverage":true' in log


def test_a_refusal_by_a_hook_is_what_the_person_reads(project: RealProject) -> None:
    """If a UserPromptSubmit hook blocks the prompt, the CLI makes no request, and the text of the
    stop has the hook's reason."""
    hook = {"type": "command", "command": "echo 'Not allowed by Example Corp.' >&2; exit 2"}
    project.settings({"hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}})
    with ScriptedApi([DONE]) as api:
        project.api = api.url
        ended = project.begin()
        assert api.requests == []
    assert (ended.code, project.outcomes) == (3, ["no_signal"] * 3), ended.out
    assert "Not allowed by Example Corp." in ended.out
    assert "No _signal.json" not in ended.out and "One iteration of" not in ended.out


def test_slow_hooks_of_the_user_are_waited_for(project: RealProject) -> None:
    """The loop waits for slow SessionStart and SessionEnd hooks, and the iteration counts."""
    hooks: dict[str, list[object]] = {}
    for event in ("SessionStart", "SessionEnd"):
        command = f"sleep 9; touch '{project.folder / event}'"
        hooks[event] = [{"hooks": [{"type": "command", "command": command, "timeout": 60}]}]
    project.settings({"hooks": hooks})
    project.extra |= {"FAKE_INIT_GRACE": "8", "FAKE_RESULT_GRACE": "8"}
    with ScriptedApi(SessionScript({1: [DONE]}, project.iteration)) as api:
        project.api = api.url
        ended = project.begin()
    assert project.outcomes == ["done"], ended.out
    assert (project.folder / "SessionStart").exists() and (project.folder / "SessionEnd").exists()


def test_a_child_that_never_heeds_the_hook(project: RealProject) -> None:
    """If a child ignores the Stop hook, the CLI ends it after 8 times. It does not count as
    `continue`."""
    with ScriptedApi([Text("All done!")]) as api:
        project.api = api.url
        ended = project.begin("--max-iterations", "1")
    assert (ended.code, project.outcomes) == (5, ["no_signal"]), ended.out
    assert len(api.requests) == 9


def test_the_environment_of_a_child(project: RealProject) -> None:
    """Claude and its tools get the session's tag, and no value of an outer run.

    The CLI sets CLAUDECODE=1 and more for its tools, so only the outer values must be missing.
    """
    outer: dict[str, str] = dict.fromkeys(NESTED_RUN, "outer")
    show = bash(
        'env -0 > "$SAMOCODE_RUN/env"; cp /proc/$PPID/environ "$SAMOCODE_RUN/env-of-claude"'
    )
    turns = {1: [show, signal("done", summary="s")]}
    with ScriptedApi(SessionScript(turns, project.iteration)) as api:
        project.api, project.extra = api.url, dict(outer)
        assert project.begin().code == 0
    seen = [environment(file) for file in sorted(project.session.glob("env*"))]
    for environ in seen:
        assert "outer" not in environ.values()
        assert environ["SAMOCODE_RUN"] == str(project.session)
        assert environ["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"] == "1"
    if sys.platform == "linux":
        assert not seen[1].keys() & {*NESTED_RUN}, "claude itself was given none of them"


def environment(file: Path) -> dict[str, str]:
    """Parse the output of `env -0`, or a copy of /proc/PID/environ."""
    lines = (line.partition("=") for line in file.read_text().split("\0") if line)
    return {name: value for name, _, value in lines}
