"""A `git pull` in the clone while its loop runs does not affect the loop."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.outer import speech
from tests.outer.stage import DONE, MAIN, TO_DONE, TO_PLANNING, Stage
from tests.telegram_api import TelegramApi

OF_THE_CLONE = ("main.py", "workflow.md", "samocode", "commands")


def clone(stage: Stage) -> Path:
    """Copy the clone. The stage runs the copy's main.py from now on."""
    copy = stage.folder / "clone"
    copy.mkdir()
    for name in OF_THE_CLONE:
        source = MAIN.parent / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy / name)
    timeouts = copy / "samocode/settings/timeouts.py"  # no random wait after a usage limit
    timeouts.write_text(timeouts.read_text().replace("limit_slack: float = 180", "limit_slack = 0"))
    assert "limit_slack = 0" in timeouts.read_text()
    stage.main = copy / "main.py"
    return copy


def test_a_pull_changes_nothing_of_a_loop_that_runs(stage: Stage) -> None:
    """If all modules and workflow.md change during the first iteration, gates, VERIFY and Telegram
    still work, and every child gets the same prompt."""
    copy = clone(stage)
    stage.configure(VERIFY="true")
    pull = (
        "from pathlib import Path\n"
        f"for path in Path({str(copy)!r}).rglob('*.py'): path.write_text('raise SystemExit(99)')\n"
        f"Path({str(copy / 'workflow.md')!r}).write_text('other words')\n"
    )
    ask = "ask('Which?')"
    commit = "commit('a.py', 'two\\n'); "
    stage.script(
        pull + ask, "usage_limit(1)", TO_PLANNING, "plan()", "raw(b'')", commit + TO_DONE, DONE
    )
    with TelegramApi() as phone:
        stage.extra |= phone.environ
        loop = stage.start()
        speech.answer(stage.session_soon(), 1, "A")
        speech.approve(stage.session)
        ended = loop.wait()
        texts = " ".join(message["text"] for message in phone.messages)
    assert ended.code == 0, ended.out
    assert len({stage.child(n)["prompt"] for n in range(1, 8)}) == 1
    assert "Which?" in texts and "It works." in texts


def test_the_hook_of_another_version_lets_the_child_end(stage: Stage) -> None:
    """A Stop hook of another version than the loop accepts every signal, since its rules may
    differ. The loop judges the signal."""
    copy = clone(stage)
    package = copy / "samocode" / "__init__.py"
    pull = f"open({str(package)!r}, 'a').write('\\n__version__ = \"99\"\\n')\n"
    stage.script("raw(b''); hook()", f"{pull}raw(b''); hook()")
    assert stage.begin("--max-iterations", "2").code == 5
    assert [run["exit"] for run in stage.hooked] == [2, 0]
    assert stage.outcomes == ["bad_signal", "bad_signal"]
