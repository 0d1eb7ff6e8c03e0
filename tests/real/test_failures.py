"""What the API refuses and what caps end, through the whole loop with the real CLI."""

import json
import time
from collections.abc import Mapping

import pytest

from tests import replies
from tests.api import Error, Request, ScriptedApi, SessionScript, Text, Turns
from tests.real.cli import as_subscriber
from tests.real.sessions import NO_RETRY, RealProject, session_of, signal
from tests.replies import Turn, bash, limit_headers, usage_limit, write
from tests.script import Answer

pytestmark = pytest.mark.real

DONE = signal("done", summary="It works.")
AT_ONCE = 10.0  # seconds; the CLI alone would try a refused key for three minutes


def as_nobody(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of somebody who is not logged in."""
    return {name: value for name, value in env.items() if name != "ANTHROPIC_API_KEY"}


@pytest.mark.parametrize(
    ("reply", "outcome", "remedy"),
    [
        (replies.CREDIT, "billing", "Top it up"),
        (
            replies.SPEND_LIMIT,
            "invalid_request",
            "You have reached your specified API usage limits",
        ),
        (replies.NO_MODEL, "model", "CLAUDE_MODEL"),
        (replies.FORBIDDEN, "auth", "claude auth login"),
        (replies.BAD_KEY, "auth", "claude auth login"),
    ],
    ids=lambda value: value.message if isinstance(value, Error) else None,
)
def test_what_time_does_not_mend_blocks_at_once(
    project: RealProject, reply: Error, outcome: str, remedy: str
) -> None:
    """Exit 3 with the remedy and the way on; the CLI's ten retries of a 401 are not sat out."""
    with ScriptedApi([reply]) as api:
        project.api = api.url
        began = time.monotonic()
        ended = project.run(task="t")
        assert time.monotonic() - began < AT_ONCE
    assert (ended.returncode, project.outcomes()) == (3, [outcome]), ended.stdout
    assert remedy in ended.stdout and "To go on" in ended.stdout
    assert project.marked() == []


def test_a_refused_token_blocks(project: RealProject) -> None:
    """A subscription's 401: the CLI gives up by itself."""
    project.login = as_subscriber
    with ScriptedApi([replies.BAD_KEY]) as api:
        project.api = api.url
        ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (3, ["auth"]), ended.stdout
    assert "the subscription of CLAUDE_CODE_OAUTH_TOKEN" in ended.stdout.splitlines()[0]


def test_nobody_logged_in_blocks_without_a_request(project: RealProject) -> None:
    """The remedy is the login; and once there is one, the same command goes on."""
    project.login = as_nobody
    with ScriptedApi([DONE, Text("Done.")]) as api:
        project.api = api.url
        ended = project.run(task="t")
        assert (ended.returncode, project.outcomes()) == (3, ["auth"]), ended.stdout
        assert "claude auth login" in ended.stdout and api.requests == []
        project.login = dict
        assert project.run().returncode == 0


def test_no_cloud_credentials_block(project: RealProject) -> None:
    """Status null, as an outage has, but no time mends it."""
    cloud = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-east-1"}
    nowhere = {"ANTHROPIC_BEDROCK_BASE_URL": "http://127.0.0.1:9"}
    local = {"AWS_EC2_METADATA_DISABLED": "true"} | nowhere
    project.login = lambda env: as_nobody(env) | cloud | local | NO_RETRY
    ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (3, ["auth"]), ended.stdout
    assert "aws sso login" in ended.stdout


def test_a_usage_limit_is_waited_out(project: RealProject) -> None:
    """No child runs before the limit resets; then the loop goes on by itself."""
    resets: list[int] = []

    def reached(_: Request) -> Error:
        resets.append(int(time.time()) + 4)
        return usage_limit(resets[-1])

    project.login = as_subscriber
    turns: Turns = {1: [reached], 2: [DONE]}
    with ScriptedApi(SessionScript(turns, project.iteration)) as api:
        project.api = api.url
        ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (0, ["limited", "done"]), ended.stdout
    (reset,) = resets
    assert 0 <= (project.session / "_iteration.json").stat().st_mtime - reset < 5
    (limit,) = project.history("limit")
    assert 0 < limit["seconds"] <= 4.2 and "usage limit reached" in ended.stdout


def test_an_overloaded_api_is_asked_again(project: RealProject) -> None:
    """Transient: the next iteration does the work, and is told of the one before."""
    turns: Turns = {1: [replies.OVERLOADED], 2: [bash('cat "$SAMOCODE_RUN/_iteration.json"'), DONE]}
    project.extra = NO_RETRY
    with ScriptedApi(SessionScript(turns, project.iteration)) as api:
        project.api = api.url
        ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (0, ["transient", "done"]), ended.stdout
    assert "server_error (529)" in json.dumps(api.requests[-1]["messages"])


def test_nobody_answers_until_the_patience_is_over(project: RealProject) -> None:
    """Nothing listens there: asked again, with longer pauses, until SAMOCODE_MAX_WAIT: exit 1."""
    project.extra = NO_RETRY | {"SAMOCODE_MAX_WAIT": "0.1"}
    ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (1, ["transient"] * 2), ended.stdout
    assert "SAMOCODE_MAX_WAIT" in ended.stdout


def test_a_denied_tool_is_on_record_and_told(project: RealProject) -> None:
    """acceptEdits: the session folder is open to the child, a commit is not."""
    project.extra = {"CLAUDE_PERMISSION_MODE": "acceptEdits"}
    turns: Turns = {
        1: [bash("git commit --quiet --allow-empty -m x"), signed("continue")],
        2: [signed("blocked", reason="may not commit")],
    }
    with ScriptedApi(SessionScript(turns, project.iteration)) as api:
        project.api = api.url
        ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (3, ["continue", "blocked"]), ended.stdout
    assert project.history("iteration")[0]["denied"] == ["Bash"]
    assert "CLAUDE_PERMISSION_MODE=acceptEdits denies" in ended.stdout
    assert "denied for: Bash" in (project.session / "_iteration.json").read_text()


def signed(status: str, **more: str) -> Answer:
    """The signal by the Write tool, which needs no shell."""
    text = json.dumps({"status": status} | more)
    return lambda request: write(session_of(request) / "_signal.json", text)


@pytest.mark.parametrize("signalled", [True, False])
def test_the_cap_on_turns(project: RealProject, signalled: bool) -> None:
    """A signal that is on disk counts; without one the next iteration is told, then blocked."""
    project.extra = {"CLAUDE_ARGS": "--max-turns 1"}
    with ScriptedApi([DONE if signalled else bash("true")]) as api:
        project.api = api.url
        ended = project.run(task="t")
    lines = project.history("iteration")
    assert [line["exit"] for line in lines] == [1] * len(lines), "the CLI ended by its cap"
    expected = (0, ["done"]) if signalled else (3, ["no_signal"] * 3)
    assert (ended.returncode, project.outcomes()) == expected, ended.stdout
    told = "It reached --max-turns" in (project.session / "_iteration.json").read_text()
    assert told is not signalled


def test_the_cap_on_cost(project: RealProject) -> None:
    """A budget is handed to the CLI; twice cut off, exit 5, and only a higher cap goes on. It is
    passed by one answer at most."""
    with ScriptedApi([bash("true")]) as api:
        project.api = api.url
        ended = project.run("--max-cost", "0.002", task="t")
        assert (ended.returncode, project.outcomes()) == (5, ["budget"] * 2), ended.stdout
        first, second = (line["cost_usd"] for line in project.history("iteration"))
        assert 0.002 <= first + second < 0.002 + first  # one answer each
        asked = len(api.requests)
        assert project.run("--max-cost", "0.002").returncode == 5
        assert len(api.requests) == asked
    with ScriptedApi([DONE, Text("Done.")]) as api:
        project.api = api.url
        assert project.run("--max-cost", "0.02").returncode == 0


def test_an_answer_longer_than_the_output_limit(project: RealProject) -> None:
    """No outage, which would be tried for hours: the next iteration is told, then blocked."""
    cut = Turn((Text("Half a wor"),), stop="max_tokens")
    with ScriptedApi([cut]) as api:
        project.api = api.url
        ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (3, ["no_signal"] * 3), ended.stdout
    assert "smaller pieces" in project.history("iteration")[0]["note"]


def test_extra_usage_goes_on(project: RealProject) -> None:
    """The plan's window is used up, and the account pays for more, as its owner set it."""
    paid = limit_headers("rejected", int(time.time()) + 3600) | {
        "anthropic-ratelimit-unified-overage-status": "allowed",
        "anthropic-ratelimit-unified-overage-in-use": "true",
    }
    project.login = as_subscriber
    ready, said = Turn((signal("continue"),), headers=paid), Turn((Text("Ok."),), headers=paid)
    with ScriptedApi([ready, said, DONE, said]) as api:
        project.api = api.url
        ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (0, ["continue", "done"]), ended.stdout
    log = next((project.session / "_logs").glob("001-*.jsonl")).read_text()
    assert '"isUsingOverage":true' in log


def test_a_refusal_by_a_hook_is_what_the_person_reads(project: RealProject) -> None:
    """A UserPromptSubmit hook: success, no request, and its reason in the result."""
    hook = {"type": "command", "command": "echo 'Not allowed by Example Corp.' >&2; exit 2"}
    home = project.folder / "home/.claude"
    home.mkdir(parents=True)
    settings = {"hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}}
    (home / "settings.json").write_text(json.dumps(settings))
    with ScriptedApi([DONE]) as api:
        project.api = api.url
        ended = project.run(task="t")
        assert api.requests == []
    assert (ended.returncode, project.outcomes()) == (3, ["no_signal"] * 3), ended.stdout
    assert "Not allowed by Example Corp." in ended.stdout
    assert "No _signal.json" not in ended.stdout and "One iteration of" not in ended.stdout
