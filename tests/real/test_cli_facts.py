"""Facts about the Claude CLI that the loop relies on, tested with the real program.

If a newer CLI breaks one of these tests, the loop has to change.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.api import ScriptedApi
from tests.outer.speech import wait_for
from tests.real.cli import Cli, clean_env
from tests.replies import Hang, Text, Tool, write
from tests.script import Request, from_helper, said

pytestmark = pytest.mark.real

DONE = Text("Done.")


def test_init_comes_before_the_api_answers_and_sigterm_leaves_no_result(cli: Cli) -> None:
    """The init event comes before the first answer of the API. After SIGTERM the CLI exits with 143
    and prints nothing more."""
    log = cli.work / "log"
    with ScriptedApi([Hang()]) as api, log.open("wb") as out:
        env = clean_env(cli.home, api.url)
        child = subprocess.Popen(cli.command("hello"), cwd=cli.work, env=env, stdout=out)
        try:
            wait_for(lambda: b"\n" in log.read_bytes() and bool(api.requests))
            child.terminate()
            assert child.wait(timeout=60) == 143
        finally:
            child.kill()
            child.wait()
    (init,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (init["type"], init["subtype"]) == ("system", "init")
    assert {"Bash", "Edit", "Read", "Write", "Task"} <= set(init["tools"])


@pytest.mark.parametrize("named", [False, True])
def test_accept_edits_writes_outside_only_where_add_dir_says(
    cli: Cli, tmp_path: Path, named: bool
) -> None:
    """Without --add-dir a write outside is denied. The denial is an event and in the result."""
    outside = tmp_path / "session"
    outside.mkdir()
    flags = ["--add-dir", str(outside)] if named else []
    with ScriptedApi([write(outside / "_signal.json", "{}"), DONE]) as api:
        ran = cli.run(clean_env(cli.home, api.url), *flags, mode="acceptEdits")
    assert (outside / "_signal.json").exists() == named
    denied = [event["tool_name"] for event in ran.all("system", "permission_denied")]
    listed = [denial["tool_name"] for denial in ran.one("result")["permission_denials"]]
    assert denied == listed == ([] if named else ["Write"])


def test_tools_and_disallowed_tools_shape_the_list(cli: Cli) -> None:
    """A flag may be followed by several names, up to the next flag. Unknown names are ignored."""
    tools = ["--tools", "Bash,Edit,Read,Write,Agent,WebFetch,WebSearch"]
    flags = [*tools, "--disallowedTools", "WebFetch", "NoSuchTool", "--model", "haiku"]
    with ScriptedApi([DONE]) as api:
        init = cli.run(clean_env(cli.home, api.url), *flags).one("system", "init")
    assert init["tools"] == ["Task", "Bash", "Edit", "Read", "WebSearch", "Write"]
    assert "haiku" in init["model"]


def test_a_helper_is_told_apart_in_requests_and_events(cli: Cli) -> None:
    """Events of a helper have the id of its Agent call, so they can be distinguished."""

    def script(request: Request) -> Text | Tool:
        if from_helper(request):
            return Text("HELPER-ANSWER")
        call = Tool("Agent", {"description": "look", "prompt": "Look.", "subagent_type": "Explore"})
        return DONE if said(request) else call

    with ScriptedApi(script) as api:
        ran = cli.run(clean_env(cli.home, api.url) | {"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"})
    assert [from_helper(request) for request in api.requests] == [False, True, False]
    assert "HELPER-ANSWER" in json.dumps(api.requests[2]["messages"][-1])
    assert {event["parent_tool_use_id"] is None for event in ran.all("user")} == {False, True}
