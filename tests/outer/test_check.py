"""--check and --check --live on good, broken and slow machines, with a stand-in for claude."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.outer.stage import MAIN, Ended, Stage, executable, git, lives
from tests.telegram_api import TOKEN, Answer, TelegramApi, result

CLONE = MAIN.parent
CLAUDE = CLONE / "tests/fakes/checked"
HUNG = "#!/bin/sh\necho $$ >>{pids}\nexec sleep 600\n"
WRONG_TOKEN = "987654321:AAwrong-token_of-nobody"
PUBLIC = result({"id": -42, "type": "supergroup", "username": "name"})

Line = tuple[str, str, str]
"""Level, text, remedy."""


def lines(ended: Ended) -> list[Line]:
    """The findings in the output."""
    found: list[list[str]] = []
    for line in ended.out.splitlines():
        if match := re.match(r"(ok|warning|problem) +(.*)", line):
            found.append([match[1], match[2], ""])
        elif line.startswith("  ") and found:
            found[-1][2] += line.strip() + " "
    return [(level, text, remedy.strip()) for level, text, remedy in found]


def levels(ended: Ended) -> dict[str, int]:
    """The number of warnings and of problems, without those on this machine's memory and disk."""
    found = [level for level, text, _ in lines(ended) if not text.startswith("machine:")]
    return {level: found.count(level) for level in ("warning", "problem")}


def is_claude(stage: Stage, **how: Any) -> None:
    """Configure the stand-in for claude."""
    stage.extra["FAKE_CLAUDE"] = json.dumps(how)


@pytest.fixture
def good(stage: Stage) -> Stage:
    """A machine on which --check finds no problem."""
    commands, bin_folder = stage.folder / "home/.claude/commands", stage.folder / "bin"
    commands.mkdir(parents=True)
    bin_folder.mkdir()
    for source in (CLONE / "commands").glob("*.md"):
        (commands / source.name).symlink_to(source)
    (bin_folder / "samocode").symlink_to(MAIN)
    path = f"{bin_folder}:{stage.environ['PATH']}"
    stage.extra |= {"PATH": path, "CLAUDE_PATH": str(CLAUDE), "CALLS": str(stage.folder / "calls")}
    return stage


def calls(stage: Stage) -> int:
    """The number of calls that cost money with the real claude."""
    file = stage.folder / "calls"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_good_machine(good: Stage) -> None:
    """Every line is ok, nothing is created, and no call is made."""
    with TelegramApi() as api:
        good.extra |= api.environ
        before = {path for path in good.folder.rglob("*") if "__pycache__" not in path.parts}
        ended = good.run("--check", fast=True)
        assert api.methods == ["getMe", "getChat"]
    assert (ended.code, levels(ended)) == (0, {"warning": 0, "problem": 0}), ended.out
    subjects = {text.partition(":")[0] for _, text, _ in lines(ended)}
    assert subjects == {"settings", "git", "claude", "commands", "phone", "machine"}
    assert "paid by the login stored by claude" in ended.out and TOKEN not in ended.out
    assert "permission mode bypassPermissions, sandbox off" in ended.out
    assert {path for path in good.folder.rglob("*") if "__pycache__" not in path.parts} == before
    assert calls(good) == 0


def broken(stage: Stage) -> None:
    """Break everything that --check looks at."""
    stage.configure(SESION="sessions", BASE_BRANCH="nowhere")
    stage.config.write_text(stage.config.read_text().replace("SESSIONS='", "SESSIONS='/no/such/"))
    (stage.repo / ".gitmodules").write_text("")
    (stage.repo / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (stage.repo / ".claude").mkdir()
    (stage.repo / ".claude/settings.json").write_text("[1")
    git("add", ".", cwd=stage.repo)
    git("commit", "-qm", "More", cwd=stage.repo)
    git("branch", "samocode", cwd=stage.repo)
    git("config", "core.hooksPath", ".husky/_", cwd=stage.repo)
    git("config", "commit.gpgsign", "yes", cwd=stage.repo)
    (stage.folder / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    claudes = stage.folder / "home/.claude"
    claudes.mkdir()
    stop = {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]}
    box = {"enabled": True, "failIfUnavailable": True}
    settings = {"hooks": stop, "disableAllHooks": True, "sandbox": box}
    (claudes / "settings.json").write_text(json.dumps(settings))
    few = stage.folder / "few"
    executable(few / "samocode")
    (few / "git").symlink_to(shutil.which("git") or "git")
    (few / "python3").symlink_to(sys.executable)
    stage.extra |= {"PATH": str(few), "CLAUDE_PATH": str(CLAUDE), "CLAUDE_TIMEOUT": "soon"}
    is_claude(stage, version="9.9.9", login={"loggedIn": False}, mode="default")


BROKEN = (
    ("problem", "CLAUDE_TIMEOUT: 'soon' is not a number", ""),
    ("problem", "'SESION' is not a known key (nearest: SESSIONS)", ""),
    ("problem", "SESSIONS: /no/such does not exist: create it", ""),
    ("problem", "BASE_BRANCH nowhere is not a branch", ""),
    ("problem", "a branch named samocode", "branch -m samocode"),
    ("problem", "git does not know who commits. Run: git config", ""),
    ("warning", "core.hooksPath is .husky/_", "SETUP"),
    ("warning", "submodules", "git submodule update"),
    ("warning", "commits are signed", "config commit.gpgsign false"),
    ("problem", "git LFS", "Install git-lfs"),
    ("warning", "claude 9.9.9", "is the tested version|npm install"),
    ("problem", "claude is not logged in", "claude auth login"),
    ("problem", "permission mode default", "Change CLAUDE_PERMISSION_MODE"),
    ("warning", "has a Stop hook", "SAMOCODE_RUN"),
    ("ok", "disableAllHooks", ""),
    ("warning", ".claude/settings.json is not a JSON object", "Correct"),
    ("warning", "not linked in", "install.sh"),
    ("warning", "samocode on PATH is another program", "install.sh"),
    ("problem", "Telegram refuses (HTTP 401, Unauthorized)", "Check TELEGRAM_BOT_TOKEN"),
)


def test_a_broken_machine(stage: Stage) -> None:
    """All problems are reported at once, with remedies and without the token. --live makes no call
    while the settings are wrong."""
    broken(stage)
    with TelegramApi() as api:
        stage.extra |= {**api.environ, "TELEGRAM_BOT_TOKEN": WRONG_TOKEN}
        ended = stage.run("--check", "--live", fast=True)
    found = lines(ended)
    for level, text, remedy in BROKEN:
        matching = [line for line in found if line[0] == level and text in line[1]]
        assert matching and re.search(remedy, matching[0][2]), f"{text}\n{ended.out}"
    if sys.platform == "linux":
        assert "needs bwrap and socat: claude does not start without" in ended.out
    assert ("warning", "live: no call was made", "Correct the settings first.") in found
    for level, text, remedy in found:
        assert level == "ok" or remedy or ". Run: " in text or ": " in text.partition(": ")[2], text
    assert ended.code == 2 and re.search(r"\n\d\d problems, \d+ warnings\.\n$", ended.out)
    assert "Traceback" not in ended.out and WRONG_TOKEN not in ended.out


BWRAP = """#!/bin/sh
case "$*" in *--proc*) echo "bwrap: Can't mount proc on /newroot/proc" >&2; exit 1;; esac
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has a sandbox of its own")
@pytest.mark.parametrize(
    ("weaker", "level", "text"),
    [(False, "problem", "cannot be made here: bwrap: Can't mount proc"), (True, "ok", "works")],
)
def test_a_sandbox_that_cannot_be_made(good: Stage, weaker: bool, level: str, text: str) -> None:
    """--check tries the sandbox. In a container with a masked /proc, claude would start but every
    command would fail."""
    box = {"enabled": True, "enableWeakerNestedSandbox": weaker}
    settings = good.folder / "home/.claude/settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(json.dumps({"sandbox": box}))
    programs = good.folder / "programs"
    for name in ("bwrap", "socat"):
        executable(programs / name, BWRAP)
    good.extra["PATH"] = f"{programs}:{good.environ['PATH']}"
    ended = good.run("--check", fast=True)
    (line,) = [line for line in lines(ended) if "sandbox of Claude" in line[1]]
    assert line[0] == level and text in line[1], ended.out
    assert ended.code == (2 if level == "problem" else 0)


@pytest.mark.parametrize("config", ["missing", "binary"])
def test_without_settings_the_rest_is_checked(good: Stage, config: str) -> None:
    """Without a usable .samocode, the current folder is checked as MAIN_REPO. If it is not in a
    repository, that is only a warning, since research works."""
    good.config.unlink() if config == "missing" else good.config.write_bytes(b"\xff\n")
    ended = good.run("--check", fast=True)
    assert (ended.code, levels(ended)) == (2, {"warning": 1, "problem": 1}), ended.out
    assert "sessions can only do research" in ended.out and "claude 2.1.332 (" in ended.out


@pytest.mark.parametrize(
    ("enabled", "level", "remedy"),
    [(True, "ok", "install.sh --plugin."), (False, "warning", "install.sh.")],
)
def test_the_commands_as_a_plugin(good: Stage, enabled: bool, level: str, remedy: str) -> None:
    """With the plugin, nothing has to be linked, and no remedy would link the commands again."""
    (good.folder / "bin/samocode").unlink()
    claudes = good.folder / "home/.claude"
    shutil.rmtree(claudes / "commands")
    plugins = {"enabledPlugins": {"samocode@samocode": enabled}}
    (claudes / "settings.json").write_text(json.dumps(plugins))
    ended = good.run("--check", fast=True)
    found = [line for line in lines(ended) if line[1].startswith("commands:")]
    assert [line[0] for line in found] == [level, "warning"], ended.out
    assert remedy in found[1][2] and ("the plugin samocode@samocode" in found[0][1]) == enabled


def test_the_base_is_checked_as_a_start_does(good: Stage) -> None:
    (good.repo / "newapp").mkdir()
    good.configure(MAIN_REPO="repo/newapp")
    for ended in (good.run("--check", fast=True), good.begin()):
        assert ended.code == 2 and "newapp is not in main, where" in ended.out, ended.out


def test_a_claude_that_hangs_is_a_warning_and_ended(good: Stage) -> None:
    """The three calls of claude run at the same time. Each late one is a warning, and is ended."""
    pids = good.folder / "pids"
    good.extra["CLAUDE_PATH"] = str(executable(good.folder / "hung", HUNG.format(pids=pids)))
    ended = good.run("--check")
    late = [text for _, text, _ in lines(ended) if "did not answer in time" in text]
    assert (ended.code, len(late)) == (0, 3), ended.out
    known = [int(pid) for pid in pids.read_text().split()]
    processes = [Path("/proc", str(pid)) for pid in known]
    assert len(known) == 3 and not any(lives(p, True, good.folder) for p in processes)


@pytest.mark.parametrize(
    ("answers", "chat", "level", "text"),
    [
        ([Answer(drop=True)], "42", "warning", "Telegram gives no answer"),
        ([], "43", "problem", "Telegram refuses (HTTP 400, Bad Request: chat not found)"),
        ([result({}), PUBLIC], "-42", "warning", "nobody may answer in a public chat"),
    ],
)
def test_a_phone_that_does_not_work(
    good: Stage, answers: list[Answer], chat: str, level: str, text: str
) -> None:
    """An outage is a warning, since it may pass. A missing chat is a problem. In a public group,
    approvers are needed."""
    with TelegramApi(answers) as api:
        good.extra |= {**api.environ, "TELEGRAM_CHAT_ID": chat}
        ended = good.run("--check")
    (line,) = [line for line in lines(ended) if line[0] != "ok" and line[1].startswith("phone")]
    assert line[0] == level and text in line[1] and line[2], ended.out
    assert TOKEN not in ended.out


@pytest.mark.parametrize(
    ("how", "text", "remedy"),
    [
        ({"key": "ANTHROPIC_API_KEY"}, "paid by ANTHROPIC_API_KEY", "SAMOCODE_PAYER=key"),
        ({"login": "?"}, "does not say who is logged in", "--live"),
        ({"version": ""}, "--version fails", "Install it again"),
    ],
)
def test_what_claude_says(good: Stage, how: dict[str, Any], text: str, remedy: str) -> None:
    is_claude(good, **how)
    ended = good.run("--check", fast=True)
    (line,) = [line for line in lines(ended) if line[0] != "ok" and line[1].startswith("claude")]
    assert text in line[1] and remedy in line[2], ended.out
    assert ended.code == (2 if line[0] == "problem" else 0)


def test_a_killed_loop_is_named(good: Stage) -> None:
    """A session whose loop was killed is named, with the command that resumes it."""
    good.extra["CLAUDE_PATH"] = good.environ["CLAUDE_PATH"].replace("fakes/checked", "outer/stub")
    good.script("up(); time.sleep(600)")
    loop = good.start(fast=True)
    good.up(1)
    loop.process.kill()
    loop.wait()
    good.extra["CLAUDE_PATH"] = str(CLAUDE)
    ended = good.run("--check", fast=True)
    (line,) = [line for line in lines(ended) if "was killed" in line[1]]
    assert line[0] == "ok" and line[2] == "To go on: samocode --session work"
    assert ("ok", "sessions: 1 session", "") in lines(ended)


def test_live_proves_login_signal_hook_and_notice(good: Stage) -> None:
    """--live makes one call in a temporary folder and shows its cost."""
    notes = good.folder / "notes"
    good.extra["SAMOCODE_NOTIFY_COMMAND"] = f"cat >> {notes}"
    with TelegramApi() as api:
        good.extra |= api.environ
        ended = good.run("--check", "--live", fast=True)
        assert api.texts == ["samocode --check --live: notices arrive here."]
    assert (ended.code, levels(ended)) == (0, {"warning": 0, "problem": 0}), ended.out
    said = [text for _, text, _ in lines(ended) if text.startswith("live:")]
    assert [text.partition(": ")[2].split(" at list")[0] for text in said] == [
        "claude 2.1.332: model opus, permission mode bypassPermissions, sandbox off",
        "the login works: claude-small answered",
        "claude wrote its signal",
        "the Stop hook ran",
        "it cost 0.0123 USD",
        "a notice was sent by Telegram",
        "a notice was given to SAMOCODE_NOTIFY_COMMAND",
    ]
    assert json.loads(notes.read_text())["event"] == "check" and calls(good) == 1
    assert not (good.folder / "sessions").exists()


@pytest.mark.parametrize(
    ("answer", "text", "remedy"),
    [
        ("refused", "the call failed. Last output: Invalid API key", "claude auth login"),
        ("denied", "claude wrote no valid signal: ", "README"),
    ],
)
def test_live_says_what_does_not_work(good: Stage, answer: str, text: str, remedy: str) -> None:
    is_claude(good, answer=answer)
    ended = good.run("--check", "--live", fast=True)
    found = [line for line in lines(ended) if line[0] == "problem" and text in line[1]]
    assert ended.code == 2 and found and remedy in found[0][2], ended.out


def test_live_needs_check(good: Stage) -> None:
    assert "--live needs --check" in good.run("--live").out
