"""Exit codes with the command to go on, and what is refused before anything is made."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.outer import speech
from tests.outer.stage import DONE, WORK, Ended, Stage, git


def goes_on(stage: Stage, ended: Ended) -> None:
    """The printed command ends the session well; it works from any folder."""
    assert f"--session {stage.session.name}" in ended.out
    assert stage.execute(["env", "-C", "/", *ended.command]).code == 0
    assert stage.outcomes[-1] == "done"


def test_1_failed(stage: Stage) -> None:
    """The API stayed away for longer than SAMOCODE_MAX_WAIT."""
    stage.extra["SAMOCODE_MAX_WAIT"] = "1"
    stage.script(default="api_error('server_error', 529, 'Overloaded, sorry')")
    ended = stage.begin()
    assert ended.code == 1 and "Overloaded, sorry" in ended.out
    stage.then(DONE)
    goes_on(stage, ended)


BLOCKED = "signal('blocked', reason='no key for X', needs='buy one')"


@pytest.mark.parametrize(
    ("code", "step", "args", "words"),
    [
        (3, BLOCKED, (), "no key for X. It needs: buy one"),
        (4, "ask('Which?')", ("--on-wait", "exit"), "Which?"),
        (5, WORK, ("--max-iterations", "1"), "1 iteration"),
    ],
)
def test_3_4_and_5(stage: Stage, code: int, step: str, args: tuple[str, ...], words: str) -> None:
    """The words say why. At a question the command ends with 4 again until the answer is there."""
    stage.script(step, DONE)
    ended = stage.begin(*args)
    assert ended.code == code and words in ended.out, ended.out
    if code == 4:
        assert stage.execute(ended.command).code == 4
        speech.answer(stage.session, 1, "B")
    goes_on(stage, ended)


def test_5_limit_of_cost(stage: Stage) -> None:
    """The same cap would stop it at once: the person puts in the number."""
    stage.script(WORK, DONE)
    ended = stage.begin("--max-cost", "0.25")
    assert ended.code == 5
    without, _, _ = " ".join(ended.command).partition("--max-cost")
    goes_on(stage, Ended(5, f"{without} --max-cost 9\n"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 143)])
def test_130_and_143_ended_by_a_signal(stage: Stage, number: int, code: int) -> None:
    """While it waits at the gate: at once, with the command to go on."""
    stage.script("ask('Which?')", DONE)
    loop = stage.start()
    stage.asked()
    ended = loop.send(number).wait()
    assert ended.code == code and "Traceback" not in ended.out
    speech.answer(stage.session, 1, "B")
    goes_on(stage, ended)


# Refusals.


def refused(stage: Stage, ended: Ended, *words: str) -> None:
    """Exit 2 with these words, no traceback, and nothing made."""
    assert ended.code == 2, ended.out
    assert "Traceback" not in ended.out and ended.out.strip()
    for word in words:
        assert word in ended.out
    assert not list((stage.folder / "sessions").glob("*"))
    assert not list((stage.folder / "worktrees").glob("*"))
    if (stage.repo / ".git").exists():
        assert "samocode/" not in git("branch", "--all", cwd=stage.repo)


def test_a_missing_settings_file_is_told_where_it_belongs(stage: Stage) -> None:
    stage.config.unlink()
    refused(stage, stage.begin(), ".samocode")
    bare = [w for w in stage.command("--task", "t") if w not in ("--config", str(stage.config))]
    refused(stage, stage.execute(bare), ".samocode", "MAIN_REPO")


def test_wrong_usage_makes_nothing(stage: Stage) -> None:
    """What is wrong, and the remedies, are listed by the tests of settings, flags and names."""
    stage.configure(VERIFI="true")
    stage.name = "a/b"
    refused(stage, stage.begin("--max-cost=-1"), "VERIFY", "--max-cost")
    stage.configure()
    refused(stage, stage.begin(), "--session", "letter")


def test_a_session_that_is_not_there(stage: Stage) -> None:
    """Without --task none is made, and the nearest name is told."""
    refused(stage, stage.run(), "--task")
    stage.script(DONE)
    assert stage.begin().code == 0
    stage.name = "wrok"
    ended = stage.run()
    assert ended.code == 2 and "work" in ended.out
    assert len(list((stage.folder / "sessions").glob("[!.]*"))) == 1


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    """There is nothing to branch from."""
    stage = Stage(tmp_path / "project")
    git("init", "-q", cwd=stage.repo)
    refused(stage, stage.begin(), "commit")


def test_a_second_loop_on_one_session(stage: Stage) -> None:
    """It is refused with the first one's pid, which goes on."""
    stage.script("up(); time.sleep(600)")
    loop = stage.start()
    stage.up(1)
    second = stage.run()
    assert second.code == 2 and str(loop.process.pid) in second.out
    assert loop.running and stage.children == 1
    assert loop.send(signal.SIGTERM).wait().code == 143
