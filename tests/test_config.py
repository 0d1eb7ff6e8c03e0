"""Settings, from real files: where they come from, and every problem at once with its remedy."""

import os
import re
import stat
from pathlib import Path

import pytest

from samocode.settings.load import PAYERS, Telegram, paying
from tests.place import DOTS, RUN, Place, executable, made
from tests.telegram_api import CHAT, TOKEN


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path.resolve() / "a place"
    folder.mkdir()
    return made(folder)


def test_the_defaults(place: Place) -> None:
    folder, got = place.folder, place.load()
    assert (got.claude, got.claude_args, got.model) == (folder / "bin/claude", (), "opus")
    assert (got.timeout, got.permission_mode, got.max_iterations) == (
        1800,
        "bypassPermissions",
        100,
    )
    assert (got.max_cost, got.max_wait, got.on_wait, got.yes) == (None, 21600, "pause", False)
    assert (got.telegram, got.warnings, got.environ) == (None, (), place.environ)
    project = got.project
    assert (project.file, project.main_repo) == (place.dots, folder / "repo")
    assert (project.worktrees, project.sessions) == (folder / "worktrees", folder / "sessions")
    assert (project.base_branch, project.setup, project.verify) == (None, None, None)
    assert not (folder / "sessions").exists()


def test_flags_win_over_environment_over_env_file_over_defaults(place: Place) -> None:
    place.env_file.write_text("CLAUDE_MODEL=file\nCLAUDE_TIMEOUT=5\nSAMOCODE_MAX_COST=3\n")
    env = {"CLAUDE_MODEL": "env", "CLAUDE_TIMEOUT": "", "SAMOCODE_MAX_ITERATIONS": "7"}
    flags = {**RUN, "--model": "flag", "--max-cost": "4"}
    got = place.load(flags, env)
    assert (got.model, got.timeout, got.max_iterations, got.max_cost) == ("flag", 5, 7, 4)
    assert place.load(env=env).model == "env"
    assert place.load(env={"CLAUDE_MODEL": " "}).model == "file"


def test_names_of_samocode_that_are_no_settings_are_let_be(place: Place) -> None:
    assert place.load(env={"SAMOCODE_TEST_CLAUDE": "/c", "SAMOCODE_NEXT": ""})


def test_a_child_may_not_start_the_loop(place: Place) -> None:
    """It could speak as the human: run sessions, add notes."""
    (problem,) = place.problems(env={"SAMOCODE_RUN": "/s"})
    assert "own child" in problem


def test_every_setting_arrives(place: Place) -> None:
    place.dots.write_text(DOTS + "BASE_BRANCH=dev\nSETUP='npm ci'\nVERIFY=\"make -C 'a b'\"\n")
    place.env_file.write_text(
        "export SAMOCODE_MAX_WAIT=9\nCLAUDE_PERMISSION_MODE=auto\n"
        "CLAUDE_ARGS=--append-system-prompt 'be brief' --mcp-config=x.json\n"
        f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_API_URL=http://127.0.0.1:8081/\n"
    )
    place.env_file.chmod(0o600)
    got = place.load(env={"TELEGRAM_CHAT_ID": CHAT})
    project = got.project
    assert (project.base_branch, project.setup) == ("dev", "npm ci")
    assert project.verify == "make -C 'a b'"
    assert got.claude_args == ("--append-system-prompt", "be brief", "--mcp-config=x.json")
    assert (got.max_wait, got.permission_mode) == (9, "auto")
    assert got.telegram == Telegram(TOKEN, CHAT, "http://127.0.0.1:8081")
    assert TOKEN not in repr(got)
    assert got.warnings == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"CLAUDE_TIMEOUT=x\n", "CLAUDE_TIMEOUT: 'x' is not a number"),
        (b"\nCLAUD_PATH=x\n", r"'CLAUD_PATH' is not a known key \(nearest: CLAUDE_PATH\)"),
        (b"ANTHROPIC_API_KEY=sk-secret\n", "'ANTHROPIC_API_KEY' .*: .*not for Samocode, export in"),
        (b"CLAUDE_MODEL=x\nsk-secret oops\n", "could not parse .* line 2: write KEY=value"),
        (b"CLAUDE_ARGS='sk-secret\n", "could not parse .* line 1: .* quotes around all"),
        (b"TELEGRAM_BOT_TOKEN=sk-secret\nTELEGRAM_CHAT_ID=1", "TOKEN: it is not a bot token"),
        (b"CLAUDE_MODEL=caf\xe9\n", "it is not UTF-8 text.*: put a text file there, saved as"),
        ("CLAUDE_MODEL=x".encode("utf-16"), "it is not UTF-8 text"),
    ],
)
def test_a_wrong_env_file(place: Place, text: bytes, says: str) -> None:
    place.env_file.write_bytes(text)
    (problem,) = place.problems()
    assert re.search(says, problem)
    assert str(place.env_file) in problem
    assert "sk-secret" not in problem


def test_what_is_no_file_is_not_read(place: Place) -> None:
    os.mkfifo(place.env_file)
    assert "it is no file" in place.problems()[0]
    place.dots.unlink()
    os.mkfifo(place.dots)
    assert "There is no .samocode" in place.problems()[1]


def test_all_problems_come_at_once(place: Place) -> None:
    """Of flags, environment, .env and .samocode."""
    place.dots.write_text("MAIN_REPO=gone\nSESSION=a\n")
    place.env_file.write_text("CLAUDE_TIMEOUT=x\nNONSENSE=1\n")
    env = {"SAMOCODE_MAX_COST": "x", "PATH": "", "TELEGRAM_CHAT_ID": "1"}
    flags = {**RUN, "--model": "", "--on-wait": "never"}
    assert len(place.problems(flags, env, uid=0)) == 12


@pytest.mark.parametrize("name", ["CLAUDE_CONFIG_DIR", "TMPDIR"])
def test_a_folder_that_the_child_needs_is_made_absolute(place: Place, name: str) -> None:
    """The child runs in the worktree, where `../x` is another folder."""
    assert place.load(env={name: "../x"}).environ[name] == f"{place.folder}/repo/../x"
    assert place.load(env={name: "/x"}).environ[name] == "/x"
    assert place.load(env={name: ""}).environ[name] == ""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("claude", "bin/claude"),
        ("../bin/claude", "repo/../bin/claude"),
        ("~/c", "my home/c"),
        ("{folder}/bin/claude", "bin/claude"),
    ],
)
def test_claude_is_a_name_on_path_or_a_path(place: Place, path: str, found: str) -> None:
    executable(place.folder / "my home/c")
    env = {"CLAUDE_PATH": path.format(folder=place.folder)}
    assert place.load(env=env).claude == place.folder / found


def test_a_relative_path_entry_is_made_absolute(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child runs in the worktree: what was found from here must hold there."""
    monkeypatch.chdir(place.folder / "repo")
    assert place.load(env={"PATH": "../bin"}).claude == place.folder / "repo/../bin/claude"


def test_claude_is_not_looked_for_when_nothing_is_spawned(place: Place) -> None:
    status = {**RUN, "--max-iterations": "0"}
    assert place.load(status, {"PATH": ""}, uid=0).max_iterations == 0


@pytest.mark.parametrize(
    ("env", "accepted"),
    [
        ({}, False),
        ({"IS_SANDBOX": "yes"}, False),
        ({"IS_SANDBOX": "true"}, False),
        ({"IS_SANDBOX": "1"}, True),
        ({"CLAUDE_CODE_BUBBLEWRAP": "0"}, False),
        ({"CLAUDE_CODE_BUBBLEWRAP": "yes"}, True),
        ({"CLAUDE_PERMISSION_MODE": "acceptEdits"}, True),
    ],
)
def test_root_is_told_before_claude_refuses(
    place: Place, env: dict[str, str], accepted: bool
) -> None:
    """Exactly what 2.1.330 takes; tests/real holds the CLI to it."""
    if accepted:
        assert place.load(env=env, uid=0)
    else:
        (problem,) = place.problems(env=env, uid=0)
        assert re.search("another user.*IS_SANDBOX=1.*acceptEdits", problem)


@pytest.mark.parametrize(
    ("mode", "args", "warned"),
    [
        ("acceptEdits", "", True),
        ("default", "", True),
        ("dontAsk", "--verbose", True),
        ("acceptEdits", "--allowedTools Bash", False),
        ("dontAsk", "--allowed-tools=Bash,Edit,Write", False),
        ("auto", "", False),
        ("bypassPermissions", "", False),
    ],
)
def test_a_mode_that_denies_the_commit_is_warned_of(
    place: Place, mode: str, args: str, warned: bool
) -> None:
    got = place.load(env={"CLAUDE_PERMISSION_MODE": mode, "CLAUDE_ARGS": args}).warnings
    assert len(got) == warned
    assert all("--allowedTools" in warning for warning in got)


def test_a_token_that_others_may_read_is_warned_of(place: Place) -> None:
    place.env_file.write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_CHAT_ID={CHAT}\n")
    place.env_file.chmod(0o640)
    (warning,) = place.load().warnings
    assert warning.endswith(f"chmod 600 '{place.env_file}'"), "as a shell takes it"
    place.env_file.chmod(stat.S_IRUSR)
    assert place.load().warnings == ()


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({}, "login stored"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "secret"}, "subscription of CLAUDE_CODE_OAUTH_TOKEN"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "secret", "ANTHROPIC_AUTH_TOKEN": "secret"}, "AUTH_TOKEN"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "secret", "ANTHROPIC_API_KEY": "secret"}, "API account"),
        ({"ANTHROPIC_API_KEY": "secret", "CLAUDE_CODE_USE_VERTEX": "True"}, "Google Cloud"),
        ({"CLAUDE_CODE_USE_FOUNDRY": "1", "CLAUDE_CODE_USE_VERTEX": "1"}, "Azure"),
        ({"CLAUDE_CODE_USE_FOUNDRY": "1", "CLAUDE_CODE_USE_BEDROCK": "on"}, "AWS"),
        ({"CLAUDE_CODE_USE_BEDROCK": "0", "ANTHROPIC_API_KEY": ""}, "login stored"),
    ],
)
def test_who_pays(env: dict[str, str], says: str) -> None:
    assert says in PAYERS[paying(env)]
    assert "secret" not in PAYERS[paying(env)]
