"""Promises of the loop that need a stand-in child and a faster clock. tests/outer holds the others,
with main.py as it is."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from tests.conftest import git
from tests.faults import ASK, CONTINUE, DONE
from tests.harness import Project, end, wait_for

IDLE = "signal('continue')"
TO_PLANNING = "signal('continue', phase='planning')"
TO_DONE = "signal('continue', phase='done')"


# Only the signal counts, never words.


def test_words_are_no_signal_and_no_limit(project: Project) -> None:
    """Neither what a child says nor what it writes ends or delays a session."""
    words = "All tasks are done. DONE. You've hit your 5-hour limit · resets 8am. API Error: 429"
    project.script(f"text({words!r}); write('complete.md', {words!r})", CONTINUE, DONE)
    assert project.run(task="t").returncode == 0
    assert project.outcomes() == ["no_signal", "continue", "done"]
    assert project.history("limit") == []


# Work that gets nowhere stops; a person's decision starts counting anew.


def test_a_claude_of_another_machine(project: Project) -> None:
    """It is not tried again: the reason and the setting are named."""
    odd = project.folder / "odd"
    odd.write_bytes(b"\x7fNOT A PROGRAM")
    odd.chmod(0o755)
    project.extra = {"CLAUDE_PATH": str(odd)}
    ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (3, ["crash"]) and ended.stderr == ""
    assert "cannot be run" in ended.stdout and "CLAUDE_PATH" in ended.stdout


@pytest.mark.parametrize("note", [None, "The disk was full."])
def test_a_start_after_1_is_no_decision_and_a_note_is(project: Project, note: str | None) -> None:
    """A supervisor that starts the loop again and again does not get three tries each time."""
    project.script("write('a'); signal('continue')", default="os._exit(1)")
    assert project.run(task="t").returncode == 1
    assert project.run(task=note).returncode == 1
    assert project.outcomes().count("crash") == (6 if note else 4)


@pytest.mark.parametrize(("caps", "code"), [((), 3), (("--max-iterations", "2"), 5)])
def test_a_start_after_3_or_5_is_a_decision(
    project: Project, caps: tuple[str, ...], code: int
) -> None:
    project.script(default=IDLE)
    assert project.run(*caps, task="t").returncode == code
    before = len(project.outcomes())
    assert project.run().returncode == 3
    assert project.outcomes()[before:] == ["continue", "continue", "stalled"]


@pytest.mark.parametrize("person", [True, False])
def test_an_answer_is_a_decision_if_a_person_gave_it(project: Project, person: bool) -> None:
    """--yes decides nothing."""
    project.script(IDLE, IDLE, ASK, default=IDLE)
    if person:
        assert project.run("--on-wait", "exit", task="t").returncode == 4
        project.answer(1, "B")
    ended = project.run(*(() if person else ("--yes",)), task="t")
    assert ended.returncode == 3, ended.stdout
    assert project.outcomes()[3:] == [*(["continue"] * 2 if person else []), "stalled"]


def test_a_note_to_a_running_loop(project: Project) -> None:
    """Its next child reads it. It is no decision: a child may have sent it. A dive is refused."""
    sent = "while not (STEPS / 'sent').exists(): time.sleep(0.05)\n"
    read = "assert 'and make it blue' in (SESSION / '_task.md').read_text()\n"
    project.script(IDLE, sent + IDLE, read + IDLE, default="os._exit(1)")
    loop = project.start(task="t")
    wait_for(lambda: list(project.steps.glob("run-002-*.json")))
    told = project.run(task="and make it blue")
    assert told.returncode == 0 and "runs: the note is read" in told.stdout
    dive = project.run("--dive", "look")
    assert dive.returncode == 2 and "--dive cannot be added to a running session" in dive.stderr
    (project.steps / "sent").touch()
    printed = end(loop, 0)
    assert "nothing behind" in printed and "_task.md was changed" not in printed
    assert project.outcomes() == ["continue", "continue", "stalled"]


# Money.


def test_a_killed_loop_does_not_spend_unseen(project: Project) -> None:
    """Killed again and again, it must not take what its children cost for nothing."""
    project.script("text('there'); time.sleep(60)", DONE)
    caps = ("--max-cost", "10")
    loop = project.start(*caps, task="t")
    wait_for(lambda: any("there" in f.read_text() for f in project.folder.rglob("001-*.jsonl")))
    end(loop)
    assert project.run(*caps).returncode == 0
    assert project.outcomes() == ["interrupted", "done"]
    assert project.history("iteration")[0]["held_usd"] == 5


# What a child prints.


@pytest.mark.parametrize("stream", [1, 2])
def test_a_flood_of_output_is_ended(project: Project, stream: int) -> None:
    """A hole of a gigabyte in the log stands for it, and takes no room."""
    flood = f"os.ftruncate({stream}, 1 << 30); os.lseek({stream}, 0, 2)\nos.write({stream}, b'x')\n"
    project.script(flood + "time.sleep(600)", "signal('blocked', reason='x')")
    assert project.run(task="t").returncode == 3
    assert project.outcomes() == ["crash", "blocked"]
    assert "1 GB of output" in project.history("iteration")[0]["note"]


def test_a_flood_switches_no_limit_off(project: Project) -> None:
    """It is written faster than it can be read; the time limit counts all the same."""
    project.script("b = b'{}\\n' * 20000\nwhile True: os.write(1, b); time.sleep(0.002)", DONE)
    ended = project.run("--timeout", "1.5", task="t")
    assert (ended.returncode, project.outcomes()) == (0, ["timeout", "done"])


def test_the_end_of_a_flood_is_read(project: Project) -> None:
    """Failure and cost count, whatever was printed before."""
    flood = "os.ftruncate(1, 900 << 20); os.lseek(1, 0, 2); print()\n"
    project.script(flood + "api_error('authentication_failed', 401); RESULT['total_cost_usd'] = 2")
    assert project.run(task="t").returncode == 3 and project.outcomes() == ["auth"]
    assert project.history("iteration")[0]["cost_usd"] == 2


@pytest.mark.parametrize("key", ["SETUP", "VERIFY"])
def test_one_long_line_of_a_command_does_no_harm(project: Project, key: str) -> None:
    """The record has a size beyond which nothing is read."""
    project.configure(**{key: "head -c 9000000 /dev/zero; false"})
    blocked = "signal('blocked', reason='x')"
    project.script(TO_PLANNING, "plan()", TO_DONE, DONE, default=blocked)
    ended = project.run("--yes", task="t")
    assert ended.returncode == 3 and len(ended.stdout) < 1e6
    assert sum(path.stat().st_size for path in project.session.glob("_*")) < 2e6
    assert (key == "VERIFY") is ("verify_failed" in project.outcomes())


# A start that hangs, and a stop.


@pytest.mark.parametrize(
    ("step", "outcomes"),
    [
        ("time.sleep(600)", ["continue", "crash", "done"]),
        ("emit(type='system', subtype='hook_started'); time.sleep(3); init(); " + DONE, None),
    ],
    ids=["silence", "a hook of the user runs first"],
)
def test_a_child_that_does_not_start(
    project: Project, step: str, outcomes: list[str] | None
) -> None:
    """Without any event its start has failed; a slow hook of the user is a sign of life."""
    project.extra = {"FAKE_INIT_GRACE": "2"}
    project.script(CONTINUE, f"NO_INIT = 1; {step}", default=DONE)
    assert project.run(task="t").returncode == 0
    assert project.outcomes() == (outcomes or ["continue", "done"])


@pytest.mark.parametrize("word", ["add", "status"])
def test_ctrl_c_while_git_runs(project: Project, word: str) -> None:
    """A terminal sends it to git too: the end of git must not be reported as a fault."""
    there, slow = project.folder / "there", project.folder / "bin" / "git"
    slow.parent.mkdir()
    waits = f'case " $* " in *" {word} "*) [ -e {there} ] || {{ >{there}; sleep 1; }};; esac'
    slow.write_text(f'#!/bin/sh\n{waits}\nexec {shutil.which("git")} "$@"\n')
    slow.chmod(0o755)
    project.extra = {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    project.script(default=CONTINUE)
    loop = project.start(task="t", before=["setsid"])
    wait_for(there.exists)
    os.killpg(loop.pid, signal.SIGINT)
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 130 and "Stopped by you" in printed, printed


# What the user's repository holds.


@pytest.mark.parametrize("touched", [False, True])
def test_a_file_that_is_dirty_from_birth(project: Project, touched: bool) -> None:
    """The clean filter of .gitattributes would change a committed file: nobody's fault, until a
    child changes it."""
    repo = project.repo
    git("config", "filter.point.clean", "sed s/raw/pointer/", cwd=repo)
    (repo / "big.bin").write_text("raw\n")
    git("add", ".", cwd=repo)
    git("commit", "-qm", "raw", cwd=repo)
    (repo / ".gitattributes").write_text("*.bin filter=point\n")
    git("add", ".gitattributes", cwd=repo)
    git("commit", "-qm", "attributes", cwd=repo)
    work = "Path('big.bin').write_text('mine')" if touched else "commit('a.py', 'built')"
    project.script(TO_PLANNING, "plan()", f"{work}; {TO_DONE}", default=DONE)
    ended = project.run("--yes", task="t")
    assert ended.returncode == (3 if touched else 0), ended.stdout
    assert "big.bin" in git("status", "--short", cwd=project.worktree)
    assert not touched or "big.bin" in ended.stdout


def test_files_that_are_not_in_the_worktree_are_counted(project: Project) -> None:
    """New files too, but neither what Samocode has there itself nor what is ignored."""
    project.script(DONE)
    repo = project.repo
    settings = {"MAIN_REPO": ".", "WORKTREES": "worktrees", "SESSIONS": "sessions"}
    (repo / ".samocode").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    config = ("--config", str(repo))
    assert "are not in it" not in project.run(*config, task="t").stdout
    (repo / "login.py").touch()
    (repo / "__pycache__").mkdir()
    (repo / "__pycache__" / "x.pyc").touch()
    (repo / "a.py").write_text("changed")
    project.name = "two"
    ended = project.run(*config, task="t")
    assert "new files of MAIN_REPO are not in it (2 files)" in ended.stdout


def test_a_terminal_that_cannot_show_a_character_does_not_stop_the_loop(project: Project) -> None:
    project.extra = {"PYTHONIOENCODING": "latin-1:strict"}
    project.script(f"text('\u2192 \u5b57'); {DONE}")
    ended = project.run(task="t")
    assert (ended.returncode, ended.stderr) == (0, "")
