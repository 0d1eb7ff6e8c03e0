"""The whole loop and the real CLI: payer and permission mode in the init event."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.api import ScriptedApi
from tests.real.cli import as_nobody, as_subscriber
from tests.real.sessions import KEY, NO_BYPASS, Login, RealProject, signal
from tests.replies import Hang, Reply
from tests.script import SessionScript

pytestmark = pytest.mark.real

HELPER = {"apiKeyHelper": "echo sk-from-helper"}
DONE = signal("done", summary="s")


def as_gateway(env: Mapping[str, str]) -> dict[str, str]:
    """Replace the API key by the token of a gateway."""
    return as_nobody(env) | {"ANTHROPIC_AUTH_TOKEN": "gateway"}


def run(project: RealProject, login: Login, settings: dict[str, Any], reply: Reply) -> str:
    """Run one iteration and return the output. `settings` are claude's, in the user's HOME."""
    project.settings(settings)
    project.login = login
    with ScriptedApi(SessionScript({1: [reply]}, project.iteration)) as api:
        project.api = api.url
        return project.begin().out


@pytest.mark.parametrize(
    ("login", "settings", "outcome", "remedy"),
    [
        (as_subscriber, KEY, "payer", "apiKeySource ANTHROPIC_API_KEY"),
        (as_gateway, HELPER, "payer", "apiKeySource apiKeyHelper"),
        (dict, NO_BYPASS, "mode", "permissionMode default"),
    ],
)
def test_what_nobody_announced_blocks_at_once(
    project: RealProject, login: Login, settings: dict[str, Any], outcome: str, remedy: str
) -> None:
    """If the payer or the mode is not the configured one, the child is ended before the API
    answers, at no cost, and the remedy is shown."""
    printed = run(project, login, settings, Hang())
    assert project.outcomes == [outcome], printed
    assert project.history("iteration")[0]["cost_usd"] == 0
    assert project.history("stop")[0]["exit"] == 3
    assert remedy in printed and "To go on" in printed
    assert project.alive == []


@pytest.mark.parametrize(
    ("login", "settings", "payer", "said"),
    [
        (as_subscriber, {}, "", ""),
        (as_subscriber, KEY, "key", ", paid by ANTHROPIC_API_KEY"),
        (as_subscriber, HELPER, "key", ", paid by apiKeyHelper"),
    ],
)
def test_what_was_announced_goes_on(
    project: RealProject, login: Login, settings: dict[str, Any], payer: str, said: str
) -> None:
    """A configured payer and mode are shown in one line and recorded."""
    project.extra = {"SAMOCODE_PAYER": payer}
    printed = run(project, login, settings, DONE)
    assert project.outcomes == ["done"], printed
    assert printed.count("permission mode bypassPermissions, sandbox off" + said + "\n") == 1
    init = project.history("iteration")[0]["init"]
    assert init["mode"] == "bypassPermissions" and init["model"] and init["version"]
