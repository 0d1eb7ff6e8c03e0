"""No file of a session, no output and no command line has a key or token."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.outer.stage import EXIT, ROOT, Ended, Stage
from tests.telegram_api import TOKEN, Answer, TelegramApi, refusal

KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-api03-not-a-real-key-0123456789",
    "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-not-a-real-token-0123456789",
}
SECRETS = (*KEYS.values(), TOKEN, TOKEN.partition(":")[2])
WORK = "write('x'); time.sleep(0.3); "
DONE = WORK + "signal('done', summary='s')"
BLOCKED = WORK + "signal('blocked', reason='hm')"
WHOLE = ("signal('continue', phase='planning')", "plan()", "signal('continue', phase='done')")
BUGGY = """
import sys
sys.path.insert(0, {root!r})
from main import main
from samocode.settings.flags import parse
from samocode.settings.timeouts import Timeouts
sys.exit(main(parse(sys.argv[1:]), Timeouts(tick="no number"), env_file=None))
"""


@contextmanager
def watched() -> Generator[set[str]]:
    """Collect the command lines of all processes, as every user can read them."""
    seen, over = set[str](), threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.update(command_lines())

    watch = threading.Thread(target=look)
    watch.start()
    try:
        yield seen
    finally:
        over.set()
        watch.join()


def command_lines() -> Iterator[str]:
    if sys.platform != "linux":
        ps = ["ps", "-A", "-ww", "-o", "command="]
        done = subprocess.run(ps, capture_output=True, text=True, check=True)
        yield from done.stdout.splitlines()
        return
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield entry.read_bytes().decode(errors="replace")


@pytest.fixture
def stage(quick: Stage) -> Stage:
    """A project with a SETUP and a VERIFY."""
    quick.configure(SETUP="env > ../../setup-env", VERIFY="env > ../../verify-env")
    return quick


@contextmanager
def quiet(stage: Stage) -> Generator[Callable[..., None]]:
    """Assert after a run that no secret is in a file, a command line or the output."""
    printed: list[str] = []

    def take(ended: Ended, *texts: str) -> None:
        printed.extend((ended.out, *texts))

    with watched() as seen:
        yield take
    assert printed and any(str(stage.folder) in line for line in seen), "the watch sees the loop"
    printed.extend(seen)
    for path in (stage.folder / "sessions").rglob("*"):
        printed.append(path.read_bytes().decode(errors="replace") if path.is_file() else path.name)
    assert [text for text in printed if any(secret in text for secret in SECRETS)] == []


@pytest.mark.parametrize(
    ("step", "answers", "code", "words"),
    [
        (BLOCKED, [refusal(403, f"Forbidden: {TOKEN}")], 3, "write to the bot once"),
        (BLOCKED, [Answer(302, headers=[("Location", f"/bot{TOKEN}")])], 3, "302"),
        ("print('rubbish'); raise SystemExit(7)", [], 1, "claude ended without a result"),
        (BLOCKED, None, 3, "not delivered"),
    ],
)
def test_a_run_with_telegram(
    stage: Stage, step: str, answers: list[Answer] | None, code: int, words: str
) -> None:
    """Whatever the Bot API answers. If it cannot be reached (None), the error of requests contains
    the URL with the token."""
    stage.script(default=step)
    with TelegramApi(answers or ()) as api, quiet(stage) as printed:
        nowhere = {} if answers is not None else {"TELEGRAM_API_URL": "http://127.0.0.1:9"}
        stage.extra = KEYS | api.environ | nowhere
        ended = stage.begin(*EXIT)
        printed(ended, *api.texts)
    assert ended.code == code and words in ended.out, ended.out
    assert bool(api.requests) == (answers is not None)


def test_a_bug_shows_its_traceback_and_no_secret(stage: Stage, tmp_path: Path) -> None:
    """It ends with exit code 1, and is sent by Telegram, too."""
    stage.script(default=WORK)
    (tmp_path / "buggy.py").write_text(BUGGY.format(root=str(ROOT)))
    with TelegramApi() as api, quiet(stage) as printed:
        stage.extra = KEYS | api.environ
        stage.fast, stage.main = False, tmp_path / "buggy.py"
        ended = stage.begin()
        printed(ended, *api.texts)
    assert ended.code == 1 and "TypeError" in ended.err and api.texts


def test_a_whole_session(stage: Stage) -> None:
    """Child, SETUP and VERIFY get Claude's key but not the bot token. Every file that the loop
    creates can be read only by its owner, whatever the umask."""
    stage.script(*WHOLE, default=DONE)
    before = os.umask(0)
    try:
        with TelegramApi() as api, quiet(stage) as printed:
            stage.extra = KEYS | api.environ
            ended = stage.begin("--yes")
            printed(ended, *api.texts)
    finally:
        os.umask(before)
    environ = stage.child(1)["environ"]
    assert ended.code == 0 and environ["ANTHROPIC_API_KEY"] == KEYS["ANTHROPIC_API_KEY"]
    texts = [(stage.folder / name).read_text() for name in ("setup-env", "verify-env")]
    for text in (json.dumps(environ), *texts):
        assert "TELEGRAM" not in text and TOKEN not in text
    logs = list((stage.session / "_logs").iterdir())
    assert len(logs) >= 12, "iterations, their stderr, setup, verify, the plan asked and approved"
    printed_files = ("_history.jsonl", "_task.md", "_qa.md", "_iteration.json", "_logs", ".")
    own = [stage.session / name for name in printed_files]
    assert [
        path for path in (*logs, *own) if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ] == []
