"""Settings from real files: the order of sources, and all problems at once, with remedies."""

import io
import os
import re
import stat
import tempfile
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from samocode.record.exits import UserError
from samocode.settings.load import PAYERS, Telegram, paying
from samocode.settings.sources import PLAIN, parsed
from samocode.settings.table import ProjectTable, RunTable
from tests.outer.stage import executable
from tests.place import DOTS, RUN, Place, made
from tests.telegram_api import CHAT, TOKEN

# Where they come from


def test_flags_win_over_environment_over_env_file_over_defaults(place: Place) -> None:
    place.env_file.write_text("CLAUDE_MODEL=file\nCLAUDE_TIMEOUT=5\nSAMOCODE_MAX_COST=3\n")
    env = {"CLAUDE_MODEL": "env", "CLAUDE_TIMEOUT": "", "SAMOCODE_MAX_ITERATIONS": "7"}
    flags = {**RUN, "--model": "flag", "--max-cost": "4"}
    got = place.load(flags, env | {"SAMOCODE_NEXT": ""})
    assert (got.model, got.timeout, got.max_iterations, got.max_cost) == ("flag", 5, 7, 4)
    assert place.load(env=env).model == "env"
    assert place.load(env={"CLAUDE_MODEL": " "}).model == "file"


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
    assert TOKEN not in repr(got) and got.warnings == ()


def test_a_file_as_editors_save_it(place: Place) -> None:
    """A byte order mark, Windows line ends and comments do no harm."""
    place.dots.write_bytes(f"\ufeff\n# x\n\n{DOTS}".replace("\n", "\r\n").encode())
    assert place.load().project.sessions == place.folder / "sessions"


def test_a_copied_example_changes_nothing(place: Place) -> None:
    before = vars(place.load())
    place.env_file.write_text((Path(__file__).parents[1] / ".env.example").read_text())
    assert {**vars(place.load()), "project": None} == {**before, "project": None}


@given(st.lists(st.from_regex(r"[A-Z_]{0,3}=?[\w@%+:,./~# '\"-]{0,4}", fullmatch=True)))
def test_plain_lines_are_read_as_python_dotenv_reads_them(lines: list[str]) -> None:
    """For plain lines a start does not import python-dotenv (`sources.PLAIN`)."""
    text = "\n".join(lines)
    if PLAIN.fullmatch(text + "\n"):
        path = Path("a")
        assert parsed(text, path, []) == dotenv_values(stream=io.StringIO(text))


def test_paths_start_at_home_or_at_the_file(place: Place) -> None:
    """--config names the file or its folder."""
    (place.folder / "repo/sub").mkdir()
    place.dots.write_text("MAIN_REPO=./repo/sub/..\nWORKTREES=~/w\nSESSIONS=~-s\n")
    project = place.load().project
    assert project.main_repo == place.folder / "repo"
    assert project.worktrees == place.folder / "my home/w"
    assert project.sessions == place.folder / "~-s"
    for config in ("../.samocode", "..", "~/../.samocode"):
        assert place.load({**RUN, "--config": config}).project.file.samefile(place.dots)


@pytest.mark.parametrize(
    ("written", "verify"),
    [
        ("\"grep 'a #b' c\" # all of c", "grep 'a #b' c"),
        ("make#it", "make#it"),
        ("'\nmake # first\nmake test\n'", "make # first\nmake test"),
        ("", None),
        (" # later", None),
    ],
)
def test_a_command_is_never_cut(place: Place, written: str, verify: str | None) -> None:
    place.dots.write_text(f"{DOTS}BASE_BRANCH=dev # for now\nVERIFY={written}\n")
    project = place.load().project
    assert (project.base_branch, project.verify) == ("dev", verify)


def test_paths_are_made_absolute(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child runs in the worktree, where a relative folder, CLAUDE_PATH or entry of PATH leads
    elsewhere."""
    for name in ("CLAUDE_CONFIG_DIR", "TMPDIR"):
        for written, meant in (("../x", f"{place.folder}/repo/../x"), ("/x", "/x"), ("", "")):
            assert place.load(env={name: written}).environ[name] == meant
    executable(place.folder / "my home/c")
    relative = place.folder / "repo/../bin/claude"
    for path, claude in (
        ("claude", place.folder / "bin/claude"),
        ("../bin/claude", relative),
        ("~/c", place.folder / "my home/c"),
        (str(relative), relative),
    ):
        assert place.load(env={"CLAUDE_PATH": path}).claude == claude
    monkeypatch.chdir(place.folder / "repo")
    assert place.load(env={"PATH": "../bin"}).claude == relative


# What is wrong with them


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MAIN_REPO=\nWORKTREES=w\n", ["MAIN_REPO is missing: add MAIN_R", "SESSIONS is missing"]),
        (DOTS + "\n\nSETUP='npm\n", ["could not parse .* line 4: write KEY=value"]),
        (DOTS + "SETUP\n", ["SETUP has no value: write SETUP=value"]),
        (DOTS + "SESSIONS=b\n", ["SESSIONS occurs more than once: keep one"]),
        (DOTS + "VERIFY=grep 'a #b' c\n", ["VERIFY: the text from ' #' .* put quotes around the"]),
        (DOTS + "export SETUP = make # it\n", ["SETUP: .* or the comment on a line of its own"]),
        (DOTS + "SESSION=b\n", [r"'SESSION' is not a known key \(nearest: SESSIONS\)"]),
        (DOTS + 'BASE_BRANCH="a\nb"\n', ["BASE_BRANCH: .* is not a name"]),
        (DOTS + 'VERIFY="a\\ab"\n', ["VERIFY: .* is not one line .* single quotes around"]),
        (DOTS.replace("=repo", "=gone"), ["MAIN_REPO: .*/gone is not a directory: name one"]),
        (DOTS.replace("=repo", "='re\npo'"), ["MAIN_REPO: .* is not one line"]),
        (DOTS.replace("=repo", "=" + "x" * 300), ["MAIN_REPO: .* is not a directory"]),
        (DOTS.replace("=sessions", "=a/b/c"), ["SESSIONS: .*/a/b does not exist: create it"]),
        (DOTS.replace("=sessions", "=a[b]"), ["SESSIONS: .* contains \\[, which breaks"]),
        (DOTS.replace("=sessions", "=$HOME/s"), [r"\$HOME/s: variables are not replaced: write ~"]),
        (DOTS.replace("=worktrees", "=.git/worktrees"), ["WORKTREES: .* is inside .git"]),
        (DOTS.replace("=worktrees", "=loop"), ["WORKTREES: .*: name"]),
        (DOTS.replace("=sessions", "=worktrees"), ["SESSIONS is inside WORKTREES"]),
        (DOTS.replace("=worktrees", "=./repo/"), ["MAIN_REPO is also WORKTREES or SESSIONS"]),
    ],
)
def test_a_wrong_project_file(place: Place, text: str, says: list[str]) -> None:
    (place.folder / "loop").symlink_to("loop")
    place.dots.write_text(text)
    problems = place.problems()
    assert len(problems) == len(says)
    for problem, pattern in zip(problems, says, strict=True):
        assert re.search(pattern, problem) and str(place.dots) in problem


@pytest.mark.parametrize("name", ["pr\udcffoj", "two\nlines"], ids=["Latin-1", "newline"])
def test_a_folder_whose_name_is_not_plain_text(tmp_path: Path, name: str) -> None:
    """Pages with the path could not be written, and git's answers could not be read."""
    (tmp_path / name).mkdir()
    problems = made(tmp_path / name).problems()
    assert len(problems) == 3 and all("use a folder with a plain name" in p for p in problems)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"\nCLAUD_PATH=x\n", r"'CLAUD_PATH' is not a known key \(nearest: CLAUDE_PATH\)"),
        (b"ANTHROPIC_API_KEY=sk-secret\n", "'ANTHROPIC_API_KEY' .*: .*or export it in your shell"),
        (b"CLAUDE_MODEL=x\nsk-secret oops\n", "could not parse .* line 2: write KEY=value"),
        (b"CLAUDE_ARGS='sk-secret\n", "could not parse .* line 1: .* quotes around all"),
        (b"TELEGRAM_BOT_TOKEN=sk-secret\nTELEGRAM_CHAT_ID=1", "TOKEN: it is not a bot token"),
        (b"CLAUDE_MODEL=caf\xe9\n", "it is not UTF-8 text.*: put a text file there, saved as"),
    ],
)
def test_a_wrong_env_file(place: Place, text: bytes, says: str) -> None:
    """The message names the file and the key, and shows no secret."""
    place.env_file.write_bytes(text)
    (problem,) = place.problems()
    assert re.search(says, problem) and str(place.env_file) in problem
    assert "sk-secret" not in problem


def test_what_is_no_text_file_is_not_read(place: Place) -> None:
    place.dots.write_bytes(DOTS.encode("utf-16"))
    (said,) = place.problems()
    assert said.startswith(f"{place.dots}: cannot be read (it is not UTF-8 text): ")
    for path in (place.env_file, place.dots):
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    first, second = place.problems()
    assert "it is not a file" in first and "There is no .samocode" in second


def test_without_a_project_the_error_shows_one_that_works(place: Place) -> None:
    place.dots.unlink()
    (said,) = place.problems()
    lines = [line.strip() for line in said.splitlines()[1:]]
    (place.folder / "repo/.samocode").write_text("\n".join(lines))
    assert place.load().project.worktrees == place.folder / "repo-worktrees"
    (said,) = place.problems({**RUN, "--config": "nowhere"})
    assert f"{place.folder}/repo/nowhere is not a file" in said


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"SAMOCODE_MAX_ITERATIONS": "0"}, "SAMOCODE_MAX_ITERATIONS: with 0 nothing runs: write 1"),
        ({"CLAUDE_PERMISSION_MODE": "plan"}, "'plan' is not valid: write accept"),
        ({"CLAUDE_ARGS": "--x 'a"}, "CLAUDE_ARGS: No closing quotation: write"),
        ({"CLAUDE_ARGS": "--model=x"}, "CLAUDE_ARGS: leave --model out: Samocode passes it"),
        ({"CLAUDE_ARGS": "-c --settings {}"}, "leave --settings, -c out: Samocode passes it"),
        ({"TELEGRAM_BOT_TOKEN": TOKEN}, "TELEGRAM_CHAT_ID need each other: set both"),
        ({"TELEGRAM_BOT_TOKEN": f"{TOKEN} ", "TELEGRAM_CHAT_ID": "me"}, "is not a chat: write"),
        ({"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": "٣"}, "is not a chat: write"),
        ({"TELEGRAM_BOT_TOKEN": "bot1:x/", "TELEGRAM_CHAT_ID": CHAT}, "not a bot token: copy all"),
        ({"TELEGRAM_BOT_TOKEN": f"{TOKEN[:-1]}é", "TELEGRAM_CHAT_ID": CHAT}, "not a bot token"),
        ({"TELEGRAM_API_URL": f"http://x/bot{TOKEN}/?x"}, "TELEGRAM_API_URL: it is not"),
        ({"TELEGRAM_API_URL": "127.0.0.1:80"}, "TELEGRAM_API_URL: it is not a web address such as"),
        ({"SAMOCODE_MAXCOST": "1"}, r"'SAMOCODE_MAXCOST' .*\(nearest: SAMOCODE_MAX_COST\): unset"),
        *(({"SAMOCODE_PHASE_MODELS": text}, "SAMOCODE_PHASE_MODELS: .*PHASE=MODEL")
            for text in ("plan=opus", "planning=", "done=a done=b")),
        ({"SAMOCODE_RUN": "/s"}, "own child"),
        ({"PATH": ""}, "'claude' is not on PATH: install it .npm install -g @anthropic-ai"),
        ({"CLAUDE_PATH": "../.samocode"}, "'../.samocode' is not executable: install"),
    ],
)  # fmt: skip
def test_a_wrong_value_has_a_remedy(place: Place, env: dict[str, str], says: str) -> None:
    """In one line, without a secret. A child (SAMOCODE_RUN) may not start the loop, since it could
    then speak as the human."""
    (problem,) = place.problems(env=env)
    assert re.search(says, problem)
    assert TOKEN[:-1] not in problem and "\n" not in problem


NAMES = st.sampled_from([*RunTable.keys(), *ProjectTable.keys()])
LINES = st.builds("{}={}".format, NAMES, st.text()) | st.text()


@given(st.lists(LINES), st.lists(LINES), st.dictionaries(NAMES, st.text()))
def test_any_text_gives_settings_or_problems(
    dots: list[str], env_file: list[str], env: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = made(Path(name).resolve())
        place.dots.write_bytes("\n".join(dots).encode("utf-8", "surrogatepass"))
        place.env_file.write_bytes("\n".join(env_file).encode("utf-8", "surrogatepass"))
        try:
            place.load(env=env)
        except UserError as error:
            assert all(error.problems)


# What a person should know before the first child


def test_root_is_told_before_claude_refuses(place: Place) -> None:
    """Root needs what the CLI wants from root (tests/real checks this). A run that starts no child
    needs neither that nor claude."""
    for variable in ("IS_SANDBOX=1", "CLAUDE_CODE_BUBBLEWRAP=yes", "CLAUDE_PERMISSION_MODE=auto"):
        name, _, value = variable.partition("=")
        assert place.load(env={name: value}, uid=0)
    for variable in ("IS_SANDBOX=true", "CLAUDE_CODE_BUBBLEWRAP=0", "IS_SANDBOX="):
        name, _, value = variable.partition("=")
        (problem,) = place.problems(env={name: value}, uid=0)
        assert re.search("another user.*IS_SANDBOX=1.*acceptEdits", problem)
    assert place.load({**RUN, "--max-iterations": "0"}, {"PATH": ""}, uid=0)


@pytest.mark.parametrize(
    ("mode", "args", "warned"),
    [
        ("acceptEdits", "", True), ("default", "", True), ("dontAsk", "--verbose", True),
        ("acceptEdits", "--allowedTools Bash", False), ("auto", "", False),
        ("dontAsk", "--allowed-tools=Bash,Edit,Write", False), ("bypassPermissions", "", False),
    ],
)  # fmt: skip
def test_a_mode_that_denies_the_commit(place: Place, mode: str, args: str, warned: bool) -> None:
    got = place.load(env={"CLAUDE_PERMISSION_MODE": mode, "CLAUDE_ARGS": args}).warnings
    assert len(got) == warned and all("--allowedTools" in warning for warning in got)


def test_a_token_that_others_may_read_gives_a_warning(place: Place) -> None:
    """The warning has a chmod command that works in a shell."""
    place.env_file.write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_CHAT_ID={CHAT}\n")
    for mode in (0o640, 0o604):
        place.env_file.chmod(mode)
        (warning,) = place.load().warnings
        assert warning.endswith(f"chmod 600 '{place.env_file}'")
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
