"""Keys and tokens: in no file of a session, in nothing printed, in no command line; the bot token
is not even a child's to see."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import FAKE, ROOT, Project
from tests.telegram_api import TOKEN, Answer, TelegramApi, refusal
from tests.watching import Seen, watched

KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-api03-not-a-real-key-0123456789",
    "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-not-a-real-token-0123456789",
}
SECRETS = (*KEYS.values(), TOKEN, TOKEN.partition(":")[2])
WORK = "write('x'); time.sleep(0.3); "
DONE = WORK + "signal('done', summary='s')"
BLOCKED = WORK + "signal('blocked', reason='hm')"
ASK = WORK + "ask(); signal('waiting', **{'for': 'qa_answers'})"
BUGGY = """
import sys
sys.path.insert(0, {root!r})
from main import main
from samocode.settings.flags import parse
from samocode.settings.timeouts import Timeouts
sys.exit(main(parse(sys.argv[1:]), Timeouts(tick="no number"), env_file=None))
"""


@pytest.fixture
def project(tmp_path: Path, repo: Path) -> Project:
    """A project with a SETUP and a VERIFY."""
    project = Project(tmp_path, repo)
    project.configure(SETUP="env > ../../setup-env", VERIFY="env > ../../verify-env")
    return project


def start(project: Project, main: Path, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run this file in the place of tests/fakes/loop.py."""
    return subprocess.run(
        [sys.executable, str(main), *project.command("--task", "t")[2:]],
        env=project.environ() | more, cwd=project.folder, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip


def clone_in(folder: Path) -> Path:
    """A copy of what runs: .env lies beside main.py, and the real one is not ours to write."""
    clone = folder / "clone"
    clone.mkdir()
    for name in ("main.py", "workflow.md"):
        shutil.copy(ROOT / name, clone)
    for name in ("samocode", "commands"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    return clone


def leaks(project: Project) -> list[str]:
    """The files of the session that hold a secret."""
    found: list[str] = []
    for path in (project.folder / "sessions").rglob("*"):
        data = path.read_bytes().decode(errors="replace") if path.is_file() else path.name
        found += [str(path) for secret in SECRETS if secret in data]
    return found


def quiet(project: Project, seen: Seen, *printed: str) -> None:
    """No secret anywhere."""
    assert leaks(project) == []
    assert not any(secret in text for secret in SECRETS for text in printed), printed
    assert seen.leaks == () and (seen.lines > 0)


def test_the_watch_sees_what_there_is_to_see() -> None:
    with watched(("shown-to-all",)) as seen:
        subprocess.run(["sh", "-c", "sleep 0.3 # shown-to-all"], check=True)
    assert seen.leaks


@pytest.mark.parametrize(
    ("step", "answers", "code", "words"),
    [
        (DONE, [], 0, ""),
        (DONE, [refusal(401, "Unauthorized")], 0, "check TELEGRAM_BOT_TOKEN"),
        (BLOCKED, [refusal(403, f"Forbidden: {TOKEN}")], 3, "write to the bot once"),
        (ASK, [refusal(500, "Internal", retry_after=0)] * 4, 4, "nothing is lost"),
        (BLOCKED, [Answer(302, headers=[("Location", f"/bot{TOKEN}")])], 3, "302"),
        ("print('rubbish'); raise SystemExit(7)", [], 1, "claude ended without a result"),
    ],
)
def test_a_run_with_telegram(
    project: Project, step: str, answers: list[Answer], code: int, words: str
) -> None:
    project.script(default=step)
    with TelegramApi(answers) as api, watched(SECRETS) as seen:
        project.extra = KEYS | api.environ
        ended = project.run("--on-wait", "exit", task="t")
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert words in ended.stdout and api.requests
    quiet(project, seen, ended.stdout, ended.stderr, *api.texts)


def test_telegram_is_not_there(project: Project) -> None:
    """The library's error holds the address, and the address holds the token."""
    project.script(default=DONE)
    project.extra = KEYS | {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_CHAT_ID": "-42",
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
    }
    with watched(SECRETS) as seen:
        ended = project.run(task="t")
    assert ended.returncode == 0 and "not delivered" in ended.stdout
    quiet(project, seen, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    "wrong",
    [
        {"TELEGRAM_BOT_TOKEN": f"{TOKEN} {TOKEN}"},
        {"TELEGRAM_BOT_TOKEN": TOKEN[:-1] + "é"},
        {"TELEGRAM_CHAT_ID": ""},
        {"TELEGRAM_API_URL": f"http://127.0.0.1:9/bot{TOKEN}/?x"},
        {"CLAUDE_TIMEOUT": "soon"},
    ],
)
def test_wrong_settings(project: Project, wrong: dict[str, str]) -> None:
    """The message names the key, never what a secret one holds."""
    project.script(default=DONE)
    with TelegramApi() as api, watched(SECRETS) as seen:
        project.extra = KEYS | api.environ | wrong
        ended = project.run(task="t")
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert not any(secret[:-1] in ended.stderr for secret in SECRETS), ended.stderr
    quiet(project, seen, ended.stdout, ended.stderr)


def test_a_bug_shows_its_traceback_and_no_secret(project: Project, tmp_path: Path) -> None:
    project.script(default=WORK)
    buggy = tmp_path / "buggy.py"
    buggy.write_text(BUGGY.format(root=str(ROOT)))
    with TelegramApi() as api, watched(SECRETS) as seen:
        ended = start(project, buggy, KEYS | api.environ)
    assert ended.returncode == 1 and "TypeError" in ended.stderr
    assert api.texts, "the human hears of it"
    quiet(project, seen, ended.stdout, ended.stderr, *api.texts)


def test_the_bot_token_is_not_the_childs(project: Project) -> None:
    """Neither a child nor SETUP nor VERIFY sees it; they see what Claude needs."""
    steps = ("signal('continue', phase='planning')", "plan()", "signal('continue', phase='done')")
    project.script(*steps, default=DONE)
    with TelegramApi() as api:
        project.extra = KEYS | api.environ
        assert project.run("--yes", task="t").returncode == 0
    _, environ, _ = project.seen(1)
    assert environ["ANTHROPIC_API_KEY"] == KEYS["ANTHROPIC_API_KEY"]
    texts = [(project.folder / name).read_text() for name in ("setup-env", "verify-env")]
    for text in (json.dumps(environ), *texts):
        assert "TELEGRAM" not in text and TOKEN not in text


def test_modes(project: Project) -> None:
    """The folder is the owner's alone, and so is every file that the loop makes, whatever the
    umask."""
    steps = ("signal('continue', phase='planning')", "plan()", "signal('continue', phase='done')")
    project.script(*steps, default=DONE)
    before = os.umask(0)
    try:
        assert project.run("--yes", task="t").returncode == 0
    finally:
        os.umask(before)
    open_to_others = stat.S_IRWXG | stat.S_IRWXO
    for folder in (project.session, project.session / "_logs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    logs = list((project.session / "_logs").iterdir())
    assert len(logs) >= 12, "iterations, their stderr, setup, verify, the plan asked and approved"
    printed = ("_history.jsonl", "_task.md", "_qa.md", "_iteration.json")
    own = [project.session / name for name in printed]
    wide = [p.name for p in (*logs, *own) if p.stat().st_mode & open_to_others]
    assert wide == []


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o600, False)])
def test_a_token_file_that_others_may_read(project: Project, mode: int, warned: bool) -> None:
    """The warning stands among the first lines, and the token is used all the same."""
    clone = clone_in(project.folder)
    project.script(default=DONE)
    with TelegramApi() as api, watched(SECRETS) as seen:
        lines = [f"{key}={value}\n" for key, value in api.environ.items()]
        (clone / ".env").write_text("".join(lines) + f"CLAUDE_PATH={FAKE}\n")
        (clone / ".env").chmod(mode)
        ended = start(project, clone / "main.py", {})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ("chmod 600" in ended.stdout) == warned
    assert len(api.texts) == 1, "the token of the file was used"
    assert not any("TELEGRAM" in name for name in project.seen(1)[1])
    quiet(project, seen, ended.stdout, ended.stderr, *api.texts)


def test_a_key_of_claude_in_the_token_file(project: Project) -> None:
    """It does not belong there: said by its name, without its value."""
    clone = clone_in(project.folder)
    (clone / ".env").write_text(f"ANTHROPIC_API_KEY={KEYS['ANTHROPIC_API_KEY']}\n")
    ended = start(project, clone / "main.py", {})
    assert ended.returncode == 2 and "ANTHROPIC_API_KEY" in ended.stderr
    assert KEYS["ANTHROPIC_API_KEY"] not in ended.stderr
