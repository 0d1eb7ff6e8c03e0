"""The slash commands in the real CLI after install.sh, in an empty HOME."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.api import ScriptedApi
from tests.machine import Machine, needs_wheels
from tests.prompts import COMMANDS, body
from tests.real.cli import Cli, clean_env
from tests.replies import Text

pytestmark = [pytest.mark.real, needs_wheels]


@pytest.fixture
def linked(cli: Cli, installed: Machine) -> Cli:
    """The CLI with a HOME in which only `./install.sh` was run."""
    done = replace(installed, home=cli.home).install()
    assert done.returncode == 0, done.stdout + done.stderr
    return cli


def typed(cli: Cli, words: str) -> tuple[dict[str, Any], str]:
    """The init event, and the messages that reach the API, when a person types `words`."""
    with ScriptedApi([Text("Done.")]) as api:
        ran = cli.run(clean_env(cli.home, api.url), prompt=words)
    (request,) = api.requests
    return ran.one("system", "init"), json.dumps(request["messages"])


@pytest.mark.parametrize("name", COMMANDS)
def test_it_reaches_the_api_as_its_text_with_the_words_in_place(linked: Cli, name: str) -> None:
    """Only $ARGUMENTS in the file is replaced. Quotes in the arguments stay."""
    words = 'the auth flow\'s "guard" & $HOME'
    _, messages = typed(linked, f"/{name} {words}")
    whole = body(name).strip().replace("$ARGUMENTS", words)
    assert json.dumps(whole)[1:-1] in messages
