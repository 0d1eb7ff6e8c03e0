"""What the loop hands to the CLI as walls, and what it makes of the CLI's first event."""

from __future__ import annotations

from pathlib import Path

import pytest

from samocode.child.command import TESTED, not_as_announced
from samocode.child.stream import Init
from samocode.child.walls import walls
from samocode.show.live import introduced
from tests.place import Place, made
from tests.real import cli

KEY = {"ANTHROPIC_API_KEY": "k"}
OAUTH = {"CLAUDE_CODE_OAUTH_TOKEN": "t"}
GATEWAY = {"ANTHROPIC_AUTH_TOKEN": "t"}
CLOUD = {"CLAUDE_CODE_USE_VERTEX": "1"}
ACCEPTED = {"SAMOCODE_PAYER": "key"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path.resolve() / "a place"
    folder.mkdir()
    return made(folder)


def test_only_a_commit_waits_for_the_approval() -> None:
    """tests/real/test_walls.py holds the CLI to these rules."""
    before, after = (str(walls(Path("/s"), approved)) for approved in (False, True))
    assert "'Edit(//s/_qa.md)'" in before and "'Bash(git push:*)'" in before
    assert before.replace(", 'Bash(git commit:*)'", "") == after != before


@pytest.mark.parametrize(
    ("env", "source", "reason"),
    [
        ({}, "none", None),
        ({}, "", None),  # an older CLI
        ({}, "/login managed key", None),  # a stored login of an API account
        ({}, "ANTHROPIC_API_KEY", "payer"),
        ({}, "apiKeyHelper", "payer"),
        (OAUTH, "ANTHROPIC_API_KEY", "payer"),
        (GATEWAY, "apiKeyHelper", "payer"),
        (KEY, "ANTHROPIC_API_KEY", None),
        (CLOUD, "ANTHROPIC_API_KEY", None),  # the cloud account pays all the same
        (OAUTH | ACCEPTED, "apiKeyHelper", None),
    ],
)
def test_a_payer_that_nobody_announced(
    place: Place, env: dict[str, str], source: str, reason: str | None
) -> None:
    assert not_as_announced(place.load(env=env), Init(key_source=source)) == reason


@pytest.mark.parametrize(
    ("asked", "mode", "reason"),
    [
        ("bypassPermissions", "bypassPermissions", None),
        ("bypassPermissions", "default", "mode"),
        ("auto", "default", "mode"),
        ("default", "manual", None),  # the same by its new name
        ("acceptEdits", "", None),
    ],
)
def test_a_mode_that_nobody_asked_for(
    place: Place, asked: str, mode: str, reason: str | None
) -> None:
    settings = place.load(env={"CLAUDE_PERMISSION_MODE": asked})
    assert not_as_announced(settings, Init(mode=mode)) == reason


def test_nothing_is_amiss_before_init(place: Place) -> None:
    assert not_as_announced(place.load(), None) is None


def test_how_claude_is_introduced() -> None:
    """A login is no key; another version than the tested one is said."""
    assert introduced(Init("opus-x", "auto", "none", True, TESTED)) == (
        f"claude {TESTED}: model opus-x, permission mode auto, sandbox on, "
        "paid by a login or cloud account, if there is one"
    )
    other = introduced(Init("opus-x", "auto", "apiKeyHelper", version="3.0"))
    assert other.startswith(f"claude 3.0 (tested with {TESTED}): ")
    assert other.endswith("sandbox off, paid by apiKeyHelper")


def test_the_tested_version_is_the_pinned_one() -> None:
    assert cli.VERSION == TESTED
