"""The walls (permission rules) for the CLI, and the checks of its init event."""

from pathlib import Path

import pytest

from samocode.child.command import TESTED, not_as_announced
from samocode.child.stream import Init
from samocode.child.walls import walls
from samocode.show.live import introduced
from tests.place import Place
from tests.real import cli

OAUTH = {"CLAUDE_CODE_OAUTH_TOKEN": "t"}
GATEWAY = {"ANTHROPIC_AUTH_TOKEN": "t"}


def test_only_a_commit_waits_for_the_approval() -> None:
    """tests/real tests the walls with the CLI."""
    before, after = (str(walls(Path("/s"), approved)) for approved in (False, True))
    assert "'Edit(//s/_qa.md)'" in before and "'Bash(git push:*)'" in before
    assert "'Agent(Plan)'" in before and "Agent(Explore)" not in before
    assert before.replace(", 'Bash(git commit:*)'", "") == after != before


@pytest.mark.parametrize(
    ("env", "init", "reason"),
    [
        ({}, None, None),
        ({}, Init(key_source=""), None),  # an older CLI
        ({}, Init(key_source="/login managed key"), None),  # a stored login of an API account
        ({}, Init(key_source="ANTHROPIC_API_KEY"), "payer"),
        (OAUTH, Init(key_source="ANTHROPIC_API_KEY"), "payer"),
        (GATEWAY, Init(key_source="apiKeyHelper"), "payer"),
        ({"ANTHROPIC_API_KEY": "k"}, Init(key_source="ANTHROPIC_API_KEY"), None),
        # The cloud account pays anyway.
        ({"CLAUDE_CODE_USE_VERTEX": "1"}, Init(key_source="ANTHROPIC_API_KEY"), None),
        (OAUTH | {"SAMOCODE_PAYER": "key"}, Init(key_source="apiKeyHelper"), None),
        ({}, Init(mode="bypassPermissions"), None),
        ({}, Init(mode="default"), "mode"),
        ({"CLAUDE_PERMISSION_MODE": "auto"}, Init(mode="default"), "mode"),
        ({"CLAUDE_PERMISSION_MODE": "default"}, Init(mode="manual"), None),  # its new name
        ({"CLAUDE_PERMISSION_MODE": "acceptEdits"}, Init(mode=""), None),
    ],
)
def test_a_payer_or_a_mode_that_was_not_announced(
    place: Place, env: dict[str, str], init: Init | None, reason: str | None
) -> None:
    """A key pays although the user neither set nor accepted one, or the mode is not the user's."""
    assert not_as_announced(place.load(env=env), init) == reason


def test_how_claude_is_introduced() -> None:
    """With the payer only if it is a key, and the tested version if this is another one."""
    assert introduced(Init("opus-x", "auto", "none", True, TESTED)) == (
        f"claude {TESTED}: model opus-x, permission mode auto, sandbox on"
    )
    other = introduced(Init("opus-x", "auto", "apiKeyHelper", version="3.0"))
    assert other.startswith(f"claude 3.0 (tested with {TESTED}): ")
    assert other.endswith("sandbox off, paid by apiKeyHelper")
    assert cli.VERSION == TESTED
