"""--check and --check --live with the real CLI."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.api import ScriptedApi
from tests.real.cli import as_nobody, as_subscriber
from tests.real.sessions import KEY, NO_BYPASS, NO_RETRY, Login, RealProject, prompt_of
from tests.replies import BAD_KEY, Reply, Text, write
from tests.script import Request, said

pytestmark = pytest.mark.real

SIGNAL = '{"status": "done", "summary": "The check works."}'


@pytest.mark.parametrize(
    ("login", "settings", "code", "text"),
    [
        (dict, {}, 0, "says api_key, firstParty"),
        (as_subscriber, {}, 0, "paid by the subscription of CLAUDE_CODE_OAUTH_TOKEN"),
        (as_nobody, {}, 2, "claude is not logged in"),
        (as_subscriber, KEY, 2, "paid by ANTHROPIC_API_KEY"),
        (dict, NO_BYPASS, 2, "permission mode default"),
    ],
)
def test_the_check_sends_no_request(
    project: RealProject, login: Login, settings: dict[str, Any], code: int, text: str
) -> None:
    """--check shows payer and mode of the init event without a request to the API. A hook blocks
    its prompt `/cost`, even if the user has a command of the same name."""
    home = project.settings(settings)
    (home / "commands").mkdir()
    (home / "commands/cost.md").write_text("Say hello.")
    project.login = login
    with ScriptedApi([Text("hello")]) as api:
        project.api = api.url
        ended = project.run("--check")
        assert api.requests == []
    assert ended.code == code and text in ended.out, ended.out
    assert "sandbox off" in ended.out and "in time" not in ended.out
    assert list(home.glob("projects/*/*.jsonl")) == [], "no conversation is stored"


def live(project: RealProject, script: Callable[[Request], Reply]) -> tuple[str, int]:
    """What --check --live prints, and how many requests it made."""
    project.extra |= NO_RETRY
    with ScriptedApi(script) as api:
        project.api = api.url
        ended = project.run("--check", "--live")
        assert ended.err == ""
        return ended.out, len(api.requests)


def test_live_proves_signal_and_hook(project: RealProject) -> None:
    """--check --live makes two small requests, and the Stop hook runs although the user has
    disabled all hooks."""
    home = project.settings({"disableAllHooks": True})

    def answer(request: Request) -> Reply:
        names = {tool["name"] for tool in request["tools"]}
        assert "Write" in names and not names & {"Bash", "Agent", "Read"}
        place = re.search(r"the file (\S+) with", prompt_of(request))
        assert place
        return Text("OK") if said(request) else write(place[1], SIGNAL)

    printed, requests = live(project, answer)
    for text in ("claude wrote its signal", "the Stop hook ran", "the login works", "it cost 0.0"):
        assert f"live: {text}" in printed, printed
    assert requests == 2 and "\n0 problems" in printed
    assert list(home.glob("projects/*/*.jsonl")) == []


def test_a_wrong_signal_is_sent_back_by_the_hook(project: RealProject) -> None:
    """--check --live uses the loop's own Stop hook, which rejects a wrong signal."""

    def answer(request: Request) -> Reply:
        place = re.search(r"the file (\S+) with", prompt_of(request))
        assert place
        wrong, right = write(place[1], '{"status": "dun"}'), write(place[1], SIGNAL)
        turns: tuple[Reply, ...] = (wrong, Text("OK"), right, Text("OK"))
        return turns[said(request)]

    printed, requests = live(project, answer)
    assert requests == 4 and "claude wrote its signal" in printed, printed


def test_a_refused_key_is_a_problem_with_its_remedy(project: RealProject) -> None:
    printed, _ = live(project, lambda _: BAD_KEY)
    assert "the call failed" in printed and "claude auth login" in printed, printed
