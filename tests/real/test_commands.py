"""The slash commands as the real CLI sees them after install.sh, in a HOME that was empty."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.api import Request, ScriptedApi, Text
from tests.machine import Machine, needs_wheels
from tests.prompts import COMMANDS, body
from tests.real.cli import Cli, clean_env

pytestmark = [pytest.mark.real, needs_wheels]


@pytest.fixture
def linked(cli: Cli, installed: Machine) -> Cli:
    """The CLI in a home in which nothing was done but `./install.sh`."""
    done = replace(installed, home=cli.home).install()
    assert done.returncode == 0, done.stdout + done.stderr
    return cli


def typed(cli: Cli, words: str) -> tuple[dict[str, Any], str]:
    """What the CLI says at its start, and what reaches the API, when a person types `words`."""
    with ScriptedApi([Text("Done.")]) as api:
        ran = cli.run(clean_env(cli.home, api.url), prompt=words)
    (request,) = api.requests
    return ran.one("system", "init"), said_by_the_user(request)


def said_by_the_user(request: Request) -> str:
    """All text of a request's messages, however the CLI cut it into blocks."""
    contents = [message["content"] for message in request["messages"]]
    blocks = [content if isinstance(content, list) else [{"text": content}] for content in contents]
    return "\n".join(block.get("text", "") for found in blocks for block in found)


def test_every_command_is_listed_as_ours(linked: Cli) -> None:
    """All thirteen, none hidden by a command of the CLI's own name."""
    init, _ = typed(linked, "hello")
    assert [name for name in COMMANDS if name not in init["slash_commands"]] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_it_reaches_the_api_as_its_text_with_the_words_in_place(linked: Cli, name: str) -> None:
    """Nothing else in the file is substituted, run or fetched; quotes in the words stay."""
    words = 'the auth flow\'s "guard" & $HOME'
    _, said = typed(linked, f"/{name} {words}")
    assert body(name).strip().replace("$ARGUMENTS", words) in said
