"""Behaviour of the loop that needs a stand-in child and a faster clock. tests/outer runs main.py
with its real clock."""

import os
import shutil
import signal

import pytest

from samocode import task
from tests.conftest import git
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, EXIT, TO_DONE, TO_PLANNING, WORK, Stage, executable


def test_a_claude_of_another_machine(stage: Stage) -> None:
    """It is not tried again. The message names the reason and CLAUDE_PATH."""
    odd = executable(stage.folder / "odd", "\x7fNOT A PROGRAM")
    stage.extra = {"CLAUDE_PATH": str(odd)}
    ended = stage.begin()
    assert (ended.code, stage.outcomes) == (3, ["crash"]) and ended.err == ""
    assert "cannot be run" in ended.out and "CLAUDE_PATH" in ended.out


# Work without progress stops. A person's decision resets the counters.


@pytest.mark.parametrize("note", [None, "The disk was full."])
def test_a_start_after_1_is_no_decision_and_a_note_is(stage: Stage, note: str | None) -> None:
    """So a supervisor that restarts the loop does not get three tries each time."""
    stage.script("write('a'); signal('continue')", default="os._exit(1)")
    assert stage.begin().code == 1
    assert stage.run(task=note).code == 1
    assert stage.outcomes.count("crash") == (6 if note else 4)


@pytest.mark.parametrize(("caps", "code"), [((), 3), (("--max-iterations", "2"), 5)])
def test_a_start_after_3_or_5_is_a_decision(stage: Stage, caps: tuple[str, ...], code: int) -> None:
    stage.script(default="signal()")
    assert stage.begin(*caps).code == code
    before = len(stage.outcomes)
    assert stage.run().code == 3
    assert stage.outcomes[before:] == ["continue", "continue", "stalled"]


@pytest.mark.parametrize("person", [True, False])
def test_an_answer_is_a_decision_if_a_person_gave_it(stage: Stage, person: bool) -> None:
    """It resets the count of iterations without progress; --yes does not."""
    stage.script("signal()", "signal()", "ask()", default="signal()")
    if person:
        assert stage.begin(*EXIT).code == 4
        stage.answer(1, "B")
    ended = stage.begin(*(() if person else ("--yes",)))
    assert ended.code == 3, ended.out
    assert stage.outcomes[3:] == [*(["continue"] * 2 if person else []), "stalled"]


def test_a_note_to_a_running_loop(stage: Stage) -> None:
    """The next child reads it, also if it was sent before. It is no decision, since a child may
    have sent it. A dive is refused, and the task of the session is not sent again."""
    read = "assert 'and make it blue' in (SESSION / '_task.md').read_text()\n"
    stage.script("signal()", "hold(); signal()", read + "signal()", default="os._exit(1)")
    loop = stage.start()
    stage.up(2)
    for _ in range(2):
        told = stage.run(task="and make it blue")
        assert told.code == 0 and "It reads the note before" in told.out
    assert "It has that task already." in stage.begin().out
    dive = stage.run("--dive", "look")
    assert dive.code == 2 and "--dive cannot be added to a running session" in dive.err
    stage.go()
    printed = loop.wait().out
    assert len(stage.history("task")) == 3 and "without a commit" in printed
    assert "_task.md was changed" not in printed
    assert stage.outcomes == ["continue", "continue", "stalled"]


def test_done_does_not_pass_over_a_note(stage: Stage) -> None:
    """It opens a round, in the same run. So does one that waits when a session that is done, or
    whose done was not recorded, is started."""
    stage.script(f"hold(); {DONE}", default=DONE)
    loop = stage.start()
    stage.up(1)
    assert stage.run(task="also write docs").code == 0
    stage.go()
    assert loop.wait().code == 0 and stage.outcomes == ["done", "done"]
    assert "also write docs" in stage.told(2)
    task.send(stage.session, "and tests")
    assert stage.run().code == 0 and "and tests" in stage.told(3)
    task.send(stage.session, "and more")
    stage.script(default=f"{DONE}; up(); time.sleep(60)")
    loop = stage.beside(stage.command())
    stage.up(4)
    loop.kill()
    task.send(stage.session, "and a picture")
    stage.script(default=DONE)
    assert stage.run().code == 0 and "and a picture" in stage.told(5)


def test_a_start_while_the_last_message_is_sent(stage: Stage) -> None:
    """A decision starts the next run at once, and --status shows the stop."""
    waits = f"while [ ! -e '{stage.steps}/go' ]; do sleep 0.05; done"
    stage.extra["SAMOCODE_NOTIFY_COMMAND"] = waits
    stage.script("signal('blocked', reason='which bucket?')", f"(STEPS / 'go').touch(); {DONE}")
    loop = stage.start()
    wait_for(lambda: "To go on" in loop.out)
    assert "State:     blocked (no loop runs it)" in stage.run("--status").out
    assert stage.run(task="use the second bucket").code == 0 and stage.children == 2
    assert loop.wait().code == 3 and "use the second bucket" in stage.told(2)


# Money.


def test_a_killed_loop_does_not_spend_unseen(stage: Stage) -> None:
    """Its budget is held back from the cap, as its cost is unknown."""
    stage.script("text('there'); time.sleep(60)", DONE)
    caps = ("--max-cost", "10")
    loop = stage.start(*caps)
    wait_for(lambda: any("there" in f.read_text() for f in stage.folder.rglob("001-*.jsonl")))
    loop.kill()
    assert stage.run(*caps).code == 0
    assert stage.outcomes == ["interrupted", "done"]
    assert stage.history("iteration")[0]["held_usd"] == 5


# What a child prints.


GB = "os.ftruncate({0}, 1 << 30); os.lseek({0}, 0, 2); os.write({0}, b'x'); time.sleep(600)"
END = "api_error('authentication_failed', 401); RESULT['total_cost_usd'] = 2"


@pytest.mark.parametrize(
    ("step", "outcome", "has"),
    [
        (GB.format(1), "crash", "1 GB of output"),
        (GB.format(2), "crash", "1 GB of output"),
        ("os.ftruncate(1, 900 << 20); os.lseek(1, 0, 2); print()\n" + END, "auth", "'cost_usd': 2"),
        ("while True: os.write(1, b'{}\\n' * 20000); time.sleep(0.002)", "timeout", ""),
    ],
    ids=["on stdout", "on stderr", "that ends", "that is slower"],
)
def test_a_flood_of_output(stage: Stage, step: str, outcome: str, has: str) -> None:
    """It is ended at 1 GB (here in sparse files), its end is read, and the time limit works, even
    if the child writes faster than the loop reads."""
    stage.script(step, "signal('blocked', reason='x')")
    assert stage.begin("--timeout", "6").code == 3
    assert stage.outcomes[0] == outcome and has in str(stage.history("iteration")[0])


@pytest.mark.parametrize("key", ["SETUP", "VERIFY"])
def test_one_long_line_of_a_command_does_no_harm(stage: Stage, key: str) -> None:
    """Only a part of it is shown and recorded, since a history line or page above the size limit
    could not be read again."""
    stage.configure(**{key: "head -c 9000000 /dev/zero; false"})
    blocked = "signal('blocked', reason='x')"
    stage.script(TO_PLANNING, "plan()", TO_DONE, DONE, default=blocked)
    ended = stage.begin("--yes")
    assert ended.code == 3 and len(ended.out) < 1e6
    assert sum(path.stat().st_size for path in stage.session.glob("_*")) < 2e6
    assert (key == "VERIFY") is ("verify_failed" in stage.outcomes)


def test_a_flood_of_setup_is_ended(stage: Stage) -> None:
    stage.configure(SETUP="truncate -s 1100M /proc/self/fd/1; sleep 600")
    ended = stage.begin()
    assert ended.code == 3 and "1 GB of output" in ended.out and stage.alive == []


# A start that hangs, and a stop.


def test_a_child_that_does_not_start(stage: Stage) -> None:
    """It counts as crashed. tests/real tests slow hooks."""
    stage.extra = {"FAKE_INIT_GRACE": "8"}
    stage.script(WORK, "NO_INIT = 1; time.sleep(600)", default=DONE)
    assert stage.begin().code == 0
    assert stage.outcomes == ["continue", "crash", "done"]


@pytest.mark.parametrize("word", ["add", "status"])
def test_ctrl_c_while_git_runs(stage: Stage, word: str) -> None:
    """A terminal sends Ctrl-C to git, too. The loop does not report that git was ended."""
    there, slow = stage.folder / "there", stage.folder / "bin" / "git"
    waits = f'case " $* " in *" {word} "*) [ -e {there} ] || {{ >{there}; sleep 1; }};; esac'
    executable(slow, f'#!/bin/sh\n{waits}\nexec {shutil.which("git")} "$@"\n')
    stage.extra = {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    stage.script(default=WORK)
    loop = stage.start(before=["setsid"])
    wait_for(there.exists)
    os.killpg(loop.process.pid, signal.SIGINT)
    printed = loop.wait().out
    assert loop.code == 130 and "Stopped by you" in printed, printed


# What the user's repository holds.


@pytest.mark.parametrize("touched", [False, True])
def test_a_file_that_is_dirty_from_birth(stage: Stage, touched: bool) -> None:
    """A clean filter may cause that. It counts as a change of code only if the child changes it."""
    repo = stage.repo
    git("config", "filter.point.clean", "sed s/raw/pointer/", cwd=repo)
    (repo / "big.bin").write_text("raw\n")
    git("add", ".", cwd=repo)
    git("commit", "-qm", "raw", cwd=repo)
    (repo / ".gitattributes").write_text("*.bin filter=point\n")
    git("add", ".gitattributes", cwd=repo)
    git("commit", "-qm", "attributes", cwd=repo)
    work = "Path('big.bin').write_text('mine')" if touched else "commit('a.py', 'built')"
    stage.script(TO_PLANNING, "plan()", f"{work}; {TO_DONE}", default=DONE)
    ended = stage.begin("--yes")
    assert ended.code == (3 if touched else 0), ended.out
    assert "big.bin" in git("status", "--short", cwd=stage.worktree)
    assert not touched or "big.bin" in ended.out


def test_files_that_are_not_in_the_worktree_are_counted(stage: Stage) -> None:
    """Changed and new files of MAIN_REPO, without ignored files and Samocode's own."""
    stage.script(DONE)
    repo = stage.repo
    settings = {"MAIN_REPO": ".", "WORKTREES": "worktrees", "SESSIONS": "sessions"}
    (repo / ".samocode").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    config = ("--config", str(repo))
    assert "the worktree lacks" not in stage.begin(*config).out
    (repo / "login.py").touch()
    (repo / "__pycache__").mkdir()
    (repo / "__pycache__" / "x.pyc").touch()
    (repo / "a.py").write_text("changed")
    stage.name = "two"
    ended = stage.begin(*config)
    assert "the worktree lacks 2 uncommitted or new files of your checkout" in ended.out


def test_a_terminal_without_a_character_does_not_stop_the_loop(stage: Stage) -> None:
    stage.extra = {"PYTHONIOENCODING": "latin-1:strict"}
    stage.script(f"text('\u2192 \u5b57'); {DONE}")
    ended = stage.begin()
    assert (ended.code, ended.err) == (0, "")
