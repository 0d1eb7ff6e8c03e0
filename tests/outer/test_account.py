"""When a session reaches a usage limit, other sessions of the account on this machine wait, too."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.outer.stage import DONE, Stage

TOKEN = {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-one"}
WAIT = {"SAMOCODE_MAX_WAIT": "1"}
FAR = "usage_limit(3600, {name!r}); signal('blocked', reason='an end')"


@pytest.fixture
def session(tmp_path: Path) -> Callable[..., Stage]:
    """Make a project with one session. All use one HOME, as one person does."""

    def make(name: str, **extra: str) -> Stage:
        return Stage(tmp_path / name, {"HOME": str(tmp_path), **extra}, name)

    return make


def hints(stage: Stage) -> list[Path]:
    """The hint files of this machine."""
    return sorted(Path(stage.extra["HOME"], ".cache/samocode/limits").glob("*"))


def limited(stage: Stage, name: str = "five_hour") -> Stage:
    """Let the session reach a limit that resets in an hour."""
    stage.script(FAR.format(name=name))
    stage.begin()
    assert stage.children == 1
    return stage


def test_another_session_waits_until_the_reset(session: Callable[..., Stage]) -> None:
    """Neither session starts a child before the reset, then both continue by themselves. The
    message of the other one names the session that reached the limit."""
    first, second = session("first", **TOKEN), session("second", **TOKEN)
    at = "write('at', str(time.time())); " + DONE
    first.script("usage_limit(9); write('resets', str(time.time() + 9))", at)
    second.script(at)
    one = first.start(fast=True)
    while not hints(first):
        assert one.running, one.out
        time.sleep(0.02)
    ended = second.begin(fast=True)
    assert ended.code == 0 and second.children == 1
    assert f"session {first.session.name}" in ended.out
    resets = float((first.session / "resets").read_text())
    assert one.wait().code == 0 and first.children == 2
    assert all(float((s.session / "at").read_text()) >= resets for s in (first, second))


@pytest.mark.parametrize(
    ("mine", "others", "name", "heeded"),
    [
        (TOKEN, TOKEN, "five_hour", True),
        (TOKEN, TOKEN, "seven_day", True),
        (TOKEN, TOKEN, "seven_day_opus", False),  # a limit of one model
        (TOKEN, {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-two"}, "five_hour", False),
        (TOKEN, {"ANTHROPIC_API_KEY": "sk-ant-api03-one"}, "five_hour", False),
        (TOKEN, {**TOKEN, "SAMOCODE_PAYER": "key"}, "five_hour", False),
        ({"ANTHROPIC_API_KEY": "sk"}, {"ANTHROPIC_API_KEY": "sk"}, "five_hour", False),
        ({}, {}, "five_hour", False),  # the login is unknown
    ],
)
def test_whom_a_limit_concerns(
    session: Callable[..., Stage],
    mine: dict[str, str],
    others: dict[str, str],
    name: str,
    heeded: bool,
) -> None:
    """A limit of the whole account concerns the sessions with the same login."""
    limited(session("first", **mine, **WAIT), name)
    second = session("second", **others, **WAIT)
    second.script(DONE)
    ended = second.begin()
    assert (ended.code, second.children) == ((5, 0) if heeded else (0, 1)), ended.out
    assert not heeded or ("session" in ended.out and "SAMOCODE_MAX_WAIT=" in ended.out)


def test_the_stored_login_is_an_account(session: Callable[..., Stage]) -> None:
    """The account of a stored login is read from claude's own file. After another login, the limit
    does not apply."""
    first, *others = (session(name, **WAIT) for name in ("first", "second", "third"))
    for stage, account in zip((first, *others), ("1-2", "1-2", "3-4"), strict=True):
        stage.script(DONE)
        stored = stage.folder / "home/.claude/.claude.json"
        stored.parent.mkdir(parents=True)
        stored.write_text(json.dumps({"oauthAccount": {"accountUuid": account, "other": "x"}}))
    limited(first)
    assert [(one.begin().code, one.children) for one in others] == [(5, 0), (0, 1)]


def test_a_start_by_a_person_tries_at_once(session: Callable[..., Stage]) -> None:
    """The session that stopped at the limit ignores it at the next start, since the person may have
    paid for more. A later time of the hint, which a child could set, changes nothing."""
    first = limited(session("first", **TOKEN, **WAIT))
    os.utime(hints(first)[0], (2e9, 2e9))
    time.sleep(1.1)  # the start has whole seconds
    first.then(DONE)
    assert first.run().code == 0 and first.children == 2


@pytest.mark.parametrize(
    "content",
    [
        None, "", "{", "[1]", '{"resets_at": "x"}', '{"resets_at": 1}',
        '{"resets_at": 9e14, "session": "forged"}',  # no calendar has that year
        '{"resets_at": 4e9, "session": "forged"}',  # no limit is so long
    ],
)  # fmt: skip
def test_a_hint_is_safe_to_delete_or_to_break(
    session: Callable[..., Stage], content: str | None
) -> None:
    """Without a valid hint, another session just starts a child."""
    (path,) = hints(limited(session("first", **TOKEN, **WAIT)))
    assert path.stat().st_size < 1000 and TOKEN["CLAUDE_CODE_OAUTH_TOKEN"] not in path.read_text()
    path.unlink()
    if content is not None:
        path.write_text(content)
    second = session("second", **TOKEN)
    second.script(DONE)
    assert second.begin().code == 0 and second.children == 1


def test_no_folder_for_hints(session: Callable[..., Stage]) -> None:
    """If the cache folder cannot be written, only the hint is missing."""
    first = session("first", **TOKEN, **WAIT)
    Path(first.extra["HOME"], ".cache").write_text("a file")
    limited(first)
    assert first.outcomes
