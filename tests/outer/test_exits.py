"""Exit codes with the command that resumes, and usage errors before anything is created."""

from __future__ import annotations

import signal

import pytest

from tests.outer import speech
from tests.outer.stage import DONE, EXIT, WORK, Ended, Stage


def goes_on(stage: Stage, ended: Ended) -> None:
    """Assert that the printed command works in any folder and brings the session to done."""
    assert f"--session {stage.session.name}" in ended.out
    assert stage.execute(["env", "-C", "/", *ended.command]).code == 0
    assert stage.outcomes[-1] == "done"


def test_1_failed(stage: Stage) -> None:
    """If the API fails for longer than SAMOCODE_MAX_WAIT, the exit code is 1."""
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
        (4, "ask('Which?')", EXIT, "Which?"),
        (5, WORK, ("--max-iterations", "1"), "1 iteration"),
    ],
)
def test_3_4_and_5(stage: Stage, code: int, step: str, args: tuple[str, ...], words: str) -> None:
    """The text of the stop says why. While the question is open, the command ends with 4 again."""
    stage.script(step, DONE)
    ended = stage.begin(*args)
    assert ended.code == code and words in ended.out, ended.out
    if code == 4:
        assert stage.execute(ended.command).code == 4
        speech.answer(stage.session, 1, "B")
    goes_on(stage, ended)


def test_5_limit_of_cost(stage: Stage) -> None:
    """The exit code is 5, and a start with the same cap runs no child. The person puts a higher cap
    into the printed command."""
    stage.script(WORK, DONE)
    ended = stage.begin("--max-cost", "0.25")
    assert ended.code == stage.run("--max-cost", "0.25").code == 5 and stage.children == 1
    without, _, _ = " ".join(ended.command).partition("--max-cost")
    goes_on(stage, Ended(5, f"{without} --max-cost 9\n"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 143)])
def test_130_and_143_ended_by_a_signal(stage: Stage, number: int, code: int) -> None:
    """At a gate a signal ends the loop at once, with the command that resumes."""
    stage.script("ask('Which?')", DONE)
    loop = stage.start()
    stage.asked()
    ended = loop.send(number).wait()
    assert ended.code == code and "Traceback" not in ended.out
    speech.answer(stage.session, 1, "B")
    goes_on(stage, ended)


# Refusals.


def refused(stage: Stage, ended: Ended, *words: str) -> None:
    """Assert exit code 2 with these words, without a traceback, and that nothing was created."""
    assert ended.code == 2, ended.out
    assert "Traceback" not in ended.out and ended.out.strip()
    for word in words:
        assert word in ended.out
    assert stage.made == []


def test_without_a_settings_file_the_error_says_where_it_belongs(stage: Stage) -> None:
    stage.config.unlink()
    refused(stage, stage.begin(), ".samocode")
    bare = [w for w in stage.command("--task", "t") if w not in ("--config", str(stage.config))]
    refused(stage, stage.execute(bare), ".samocode", "MAIN_REPO")


def test_wrong_usage_makes_nothing(stage: Stage) -> None:
    """Wrong settings, flags and names end with 2 before anything is created. Other tests have all
    messages."""
    stage.configure(VERIFI="true")
    stage.name = "a/b"
    refused(stage, stage.begin("--max-cost=-1"), "VERIFY", "--max-cost")
    stage.configure()
    refused(stage, stage.begin(), "--session", "letter")


def test_a_session_that_is_not_there(stage: Stage) -> None:
    """Without --task, a session that does not exist is not created. The nearest name is shown."""
    refused(stage, stage.run(), "--task")
    stage.script(DONE)
    assert stage.begin().code == 0
    stage.name = "wrok"
    ended = stage.run()
    assert ended.code == 2 and "work" in ended.out
    assert len(list((stage.folder / "sessions").glob("[!.]*"))) == 1


def test_a_second_loop_on_one_session(stage: Stage) -> None:
    """A second loop is refused, with the pid of the first one, which continues."""
    stage.script("up(); time.sleep(600)")
    loop = stage.start()
    stage.up(1)
    second = stage.run()
    assert second.code == 2 and str(loop.process.pid) in second.out
    assert loop.running and stage.children == 1
    assert loop.send(signal.SIGTERM).wait().code == 143
