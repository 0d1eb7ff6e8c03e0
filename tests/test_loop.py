"""The whole loop as a process, on real git and real files, with a stand-in child."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from samocode.child import run as claude
from tests.conftest import git
from tests.harness import Project, end, wait_for

CONTINUE = "write('note-%d.md' % ITERATION['iteration']); signal('continue')"
DONE = "signal('done', summary='It works.')"
TO_DONE = "signal('continue', phase='done')"


def test_a_whole_session_with_both_gates(project: Project) -> None:
    """Dive, questions, plan, implementation, testing, quality, summary: exit 0 and a branch to
    merge."""
    project.script(
        "write('dive.md'); signal('continue', phase='requirements')",
        "ask(); ask('Where?'); signal('waiting', **{'for': 'qa_answers'})",
        "write('req.md', (SESSION / '_qa.md').read_text()); signal('continue', phase='planning')",
        "plan()",
        "commit('a.py', 'print(1)'); signal('continue', phase='testing')",
        "write('test.md'); signal('continue', phase='quality')",
        "write('review.md'); signal('continue', phase='done')",
        DONE,
    )
    loop = project.start("--dive", "the code", task="make it print")
    wait_for(lambda: len(project.history("asked")) == 2)
    project.answer(1, "B, because")
    time.sleep(0.3)
    assert loop.poll() is None, "one answer of two opened the gate"
    project.answer(2, "here")
    wait_for(lambda: any(line.get("kind") == "approval" for line in project.history("asked")))
    project.answer(3, "Yes!")
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 0, printed
    assert project.outcomes() == [
        "continue",
        "waiting",
        "continue",
        "waiting",
        *["continue"] * 3,
        "done",
    ]
    assert [line["phase"] for line in project.history("iteration")][4:] == [
        "implementation",
        "testing",
        "quality",
        "done",
    ]
    assert "B, because" in (project.session / "req.md").read_text()
    assert (project.worktree / "a.py").read_text() == "print(1)"
    assert "def double" in (project.repo / "a.py").read_text()
    assert f"samocode/{project.session.name}" in printed and "change a.py" in printed
    assert "the code" in (project.session / "_task.md").read_text()
    again = project.run()
    assert again.returncode == 0 and "It works." in again.stdout
    assert len(project.outcomes()) == 8


def test_what_the_child_is_given(project: Project) -> None:
    """The same prompt in every iteration, the worktree as working directory, none of the outer
    run's variables."""
    project.extra = {
        "CLAUDECODE": "1",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "GIT_DIR": "/nowhere",
        "GIT_INDEX_FILE": "x",
    }
    project.script(CONTINUE, CONTINUE, DONE)
    assert project.run(task="t").returncode == 0
    prompts = {(project.steps / f"prompt-{n}.txt").read_bytes() for n in (1, 2, 3)}
    assert len(prompts) == 1
    (prompt,) = prompts
    assert (
        prompt.endswith(b"workflow.md)\n")
        and f"Session folder: {project.session}".encode() in prompt
    )
    argv, environ, cwd = project.seen(2)
    assert cwd == str(project.worktree)
    assert not {"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "GIT_DIR", "GIT_INDEX_FILE"} & set(environ)
    assert environ["SAMOCODE_RUN"] == str(project.session)
    assert environ["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"] == "1"
    assert argv[argv.index("--add-dir") + 1] == str(project.session)
    ids = [project.seen(n)[0][project.seen(n)[0].index("--session-id") + 1] for n in (1, 2, 3)]
    assert len(set(ids)) == 3 and ids == [
        line["session_id"] for line in project.history("iteration")
    ]


def test_a_plan_refused_then_revised_then_approved(project: Project) -> None:
    """Anything but a plain yes is a change request, and reaches the next iteration in the human's
    words."""
    project.script(
        "signal('continue', phase='planning')",
        "plan()",
        "write('note.txt', json.dumps(ITERATION)); plan('plan2.md')",
        "write('impl.txt', ITERATION['approved_plan']); signal('blocked', reason='enough')",
    )
    loop = project.start(task="t")
    wait_for(lambda: project.history("asked"))
    project.answer(1, "yes, but smaller")
    wait_for(lambda: len(project.history("asked")) == 2)
    project.answer(2, "Approved.")
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 3, printed
    assert "yes, but smaller" in (project.session / "note.txt").read_text()
    assert (project.session / "impl.txt").read_text() == "plan2.md"
    (approved,) = project.history("approved")
    assert (project.session / "_logs" / approved["copy"]).read_text() == (
        project.session / "plan2.md"
    ).read_text()


def test_on_wait_exit_and_going_on(project: Project) -> None:
    """--on-wait exit ends with 4 and the command to go on; the answer given meanwhile counts."""
    project.script("ask(); signal('waiting', **{'for': 'qa_answers'})", DONE)
    waiting = project.run("--on-wait", "exit", task="t")
    assert waiting.returncode == 4, waiting.stdout + waiting.stderr
    assert (
        "Q1: Which?" in waiting.stdout
        and f"--session {project.session.name} --on-wait exit" in waiting.stdout
    )
    assert project.run("--on-wait", "exit").returncode == 4, "nothing was answered"
    project.answer(1, "A")
    assert project.run("--on-wait", "exit").returncode == 0
    assert [line["text"] for line in project.history("answer")] == ["A"]


def test_yes_takes_suggestions_and_approves_but_never_acts_for_the_human(project: Project) -> None:
    """A suggested letter is recorded as its option's printed line."""
    project.script(
        "ask(suggested='B'); ask('Where?', suggested='in the cloud');"
        "signal('waiting', **{'for': 'qa_answers'}, phase='planning')",
        "plan()",
        "ask('Plug it in', suggested='do it'); signal('waiting', **{'for': 'human_action'})",
    )
    ended = project.run("--yes", "--on-wait", "exit", task="t")
    assert ended.returncode == 4, ended.stdout
    assert [(a["text"], a["by"], a.get("took")) for a in project.history("answer")] == [
        ("B) Two", "yes", ["B"]),
        ("in the cloud", "yes", None),
        ("approve", "yes", ["approve"]),
    ]
    text = (project.session / "_qa.md").read_text()
    assert text.count("Answer: B) Two\n") == 1 and text.rstrip().endswith("Answer:")
    assert project.history("stop")[-1]["exit"] == 4


def test_yes_never_answers_what_a_human_once_answered(project: Project) -> None:
    """Neither a struck-out answer, nor a text that was found after a child ran."""
    project.script(
        "ask(); ask('Second?'); signal('waiting', **{'for': 'qa_answers'})",
        "forge(2, 'forged'); signal('blocked', reason='hm')",
        DONE,
    )
    project.run("--on-wait", "exit", task="t")
    project.answer(1, "mine")
    project.answer(2, "mine too")
    assert project.run().returncode == 3
    path = project.session / "_qa.md"
    path.write_text(path.read_text().replace("Answer: mine\n", "Answer:\n"))
    assert project.run("--yes", "--on-wait", "exit").returncode == 4
    page = path.read_text()
    assert "Answered before:\n\n> mine\n" in page
    assert "Answered before:\n\n> mine too\n\nNot taken yet:\n\n> forged\n\nAnswer:\n" in page
    project.answer(1, "before")
    project.answer(2, "same")
    assert project.run("--yes").returncode == 0
    assert [(a["text"], a["by"]) for a in project.history("answer")[2:]] == [
        ("mine", "file"),
        ("forged", "file"),
    ]


def test_a_child_cannot_answer_for_the_human(project: Project) -> None:
    """Text after `Answer:` that came while a child ran is printed as not taken yet, the question is
    open; what the child does to the rest of the page is undone."""
    project.script(
        "ask(); signal('waiting', **{'for': 'qa_answers'})",
        "forge(1, 'B, says the child'); write('x'); signal('continue')",
        "(SESSION / '_qa.md').unlink(); signal('blocked', reason='hm')",
        DONE,
    )
    project.run("--on-wait", "exit", task="t")
    project.answer(1, "A")
    assert project.run("--on-wait", "exit").returncode == 4
    page = (project.session / "_qa.md").read_text()
    assert "Not taken yet:\n\n> B, says the child\n\nAnswer:\n" in page
    assert [line["text"] for line in project.history("answer")] == ["A"], "it stays on record"
    project.answer(1, "same")
    ended = project.run("--on-wait", "exit")
    assert ended.returncode == 3, ended.stdout
    assert [line["text"] for line in project.history("answer")] == ["A", "B, says the child"]
    assert "Answer: B, says the child\n" in (project.session / "_qa.md").read_text(), (
        "printed again"
    )
    assert project.run().returncode == 0


def test_a_human_may_change_an_answer_between_runs(project: Project) -> None:
    project.script(
        "ask(); signal('waiting', **{'for': 'qa_answers'})",
        "signal('blocked', reason='hm')",
        "write('notes.json', json.dumps(ITERATION['notes'])); signal('done', summary='s')",
    )
    project.run("--on-wait", "exit", task="t")
    project.answer(1, "one")
    assert project.run().returncode == 3
    path = project.session / "_qa.md"
    path.write_text(path.read_text().replace("Answer: one", "Answer: two"))
    assert project.run().returncode == 0
    assert [a["text"] for a in project.history("answer")] == ["one", "two"]
    assert "changed the answer to Q1" in (project.session / "notes.json").read_text()


def test_code_may_not_change_before_approval(project: Project) -> None:
    """Blocked with the list, nothing reverted; running again accepts the present state."""
    project.script(
        "Path('a.py').write_text('early'); Path('new.txt').write_text('x'); signal('continue')",
        DONE,
    )
    ended = project.run(task="t")
    assert ended.returncode == 3
    assert "before a plan was approved: a.py. Nothing was reverted" in ended.stdout
    assert "Untracked: new.txt" in ended.stdout
    assert (project.worktree / "a.py").read_text() == "early"
    git("commit", "-qam", "accepted", cwd=project.worktree)
    assert project.run().returncode == 0


def test_approval_lapses_when_the_plan_changes_but_not_for_ticks(project: Project) -> None:
    change = (
        "p = SESSION / 'plan.md'; p.write_text(p.read_text().replace({!r}, {!r}));"
        "write('w%d' % ITERATION['iteration']); signal('continue')"
    )
    project.script(
        "signal('continue', phase='planning')",
        "plan(words='# Plan\\n\\n## Phase 1\\n- [ ] do it\\n\\n## Notes\\n')",
        change.format("- [ ]", "- [x]"),
        change.format("## Notes\n", "## Notes\nlearned much\n"),
        change.format("do it", "do something else"),
    )
    project.run("--on-wait", "exit", task="t")
    project.answer(1, "ok")
    ended = project.run("--on-wait", "exit")
    assert ended.returncode == 4, ended.stdout
    assert len(project.outcomes()) == 5
    assert "do something else" in project.history("lapsed")[0]["why"]
    assert "+- [ ] do something else" in (project.session / "_qa.md").read_text()


def test_a_silent_child_is_told_then_blocked(project: Project) -> None:
    bad = "write('n.json', json.dumps(ITERATION)); (SESSION / '_signal.json').write_text('{')"
    project.script("pass", bad, "pass")
    ended = project.run(task="t")
    assert ended.returncode == 3, ended.stdout
    assert project.outcomes() == ["no_signal", "bad_signal", "no_signal"]
    previous = json.loads((project.session / "n.json").read_text())["previous"]
    assert previous["outcome"] == "no_signal" and "_signal.json" in previous["note"]


def test_stalled_and_its_restart(project: Project) -> None:
    """Three idle `continue` in a row block; a start after that is a decision, and goes on."""
    project.script(default="signal('continue')")
    first = project.run(task="t")
    assert first.returncode == 3 and project.outcomes() == ["continue", "continue", "stalled"]
    project.script(default=DONE)
    assert project.run().returncode == 0


def test_iteration_cap_and_success_on_the_last(project: Project) -> None:
    project.script(CONTINUE, CONTINUE, DONE)
    assert project.run("--max-iterations", "2", task="t").returncode == 5
    assert project.run("--max-iterations", "1").returncode == 0


def test_cost_cap(project: Project) -> None:
    project.script(default=CONTINUE)
    ended = project.run("--max-cost", "0.5", task="t")
    assert ended.returncode == 5 and len(project.outcomes()) == 2
    argv = project.seen(2)[0]
    assert argv[argv.index("--max-budget-usd") + 1] == "0.2500"


def test_the_cost_cap_holds_without_results(project: Project) -> None:
    """Nobody knows what a run cost that the time limit ended: all that it was given is held
    back."""
    project.script(default="time.sleep(60)")
    caps = ("--max-cost", "10", "--timeout", "0.5", "--max-iterations", "2")
    ended = project.run(*caps, task="t")
    lines = project.history("iteration")
    assert [(line.get("cost_usd"), line["held_usd"]) for line in lines] == [(None, 5), (None, 2.5)]
    argv = project.seen(2)[0]
    assert argv[argv.index("--max-budget-usd") + 1] == "2.5000"
    assert "2 iterations, 7.50 USD held back" in ended.stdout and "0.00" not in ended.stdout


def test_without_a_cap_an_unknown_cost_is_unknown(project: Project) -> None:
    project.script(default="time.sleep(60)")
    ended = project.run("--timeout", "0.5", "--max-iterations", "2", task="t")
    assert "-- time limit reached -> investigation (" in ended.stdout
    assert "cost unknown, 0 files changed)" in ended.stdout
    assert "2 iterations, cost of 2 runs unknown" in ended.stdout and "0.00" not in ended.stdout


def test_a_killed_loop_does_not_spend_unseen(project: Project) -> None:
    """Killed again and again (out of memory), its children's cost was taken for nothing."""
    project.script("time.sleep(1.2); text('there'); time.sleep(60)", DONE)
    caps = ("--max-cost", "10", "--timeout", "2")
    loop = project.start(*caps, task="t")
    wait_for(lambda: any("there" in f.read_text() for f in project.folder.rglob("001-*.jsonl")))
    end(loop)
    assert project.run(*caps).returncode == 0
    assert project.outcomes() == ["interrupted", "done"]
    assert project.history("iteration")[0]["held_usd"] == 5


def test_time_limit_tells_the_next_iteration(project: Project) -> None:
    project.script(
        "Path('a.py').write_text('half'); time.sleep(60)", "signal('blocked', reason='x')"
    )
    project.script("ask(); time.sleep(60)", "pass")
    (project.steps / "2.py").write_text(
        "write('n.json', json.dumps(ITERATION)); signal('done', summary='s')"
    )
    (project.steps / "1.py").write_text("write('half.md'); time.sleep(60)")
    began = time.monotonic()
    assert project.run("--timeout", "1", task="t").returncode == 0
    assert time.monotonic() - began < 15
    assert project.outcomes() == ["timeout", "done"]
    assert "time limit" in json.loads((project.session / "n.json").read_text())["previous"]["note"]


@pytest.mark.parametrize("stream", [1, 2])
def test_a_flood_of_output_is_ended(project: Project, stream: int) -> None:
    """A hole of a gigabyte in the log stands for it, and takes no room."""
    flood = f"os.ftruncate({stream}, 1 << 30); os.lseek({stream}, 0, 2)\nos.write({stream}, b'x')\n"
    project.script(flood + "time.sleep(60)", "signal('blocked', reason='x')")
    began = time.monotonic()
    assert project.run(task="t").returncode == 3
    assert time.monotonic() - began < 30
    assert project.outcomes() == ["crash", "blocked"]
    assert "gigabyte" in project.history("iteration")[0]["note"]


def test_a_flood_switches_no_limit_off(project: Project) -> None:
    """It is written faster than it can be read: the looks at the clock must come between."""
    project.script("b = b'{}\\n' * 20000\nwhile True: os.write(1, b); time.sleep(0.002)", DONE)
    ended = project.run("--timeout", "1.5", task="t")
    assert (ended.returncode, project.outcomes()) == (0, ["timeout", "done"])


def test_the_end_of_a_flood_is_read(project: Project) -> None:
    """Failure and cost count, whatever was written before."""
    flood = "os.ftruncate(1, 900 << 20); os.lseek(1, 0, 2); print()\n"
    project.script(flood + "api_error('authentication_failed', 401); RESULT['total_cost_usd'] = 2")
    assert project.run(task="t").returncode == 3 and project.outcomes() == ["auth"]
    assert project.history("iteration")[0]["cost_usd"] == 2


def test_of_a_flood_only_the_ends_are_recovered(tmp_path: Path) -> None:
    """How it began and how it ended; what lies between took minutes, deaf to Ctrl-C."""
    log = tmp_path / "log"
    begun = '{"type": "system", "subtype": "init", "session_id": "s"}\n'
    retry = '{"type": "system", "subtype": "api_retry", "error_status": 401}\n'
    ended = '{"type": "result", "subtype": "success", "total_cost_usd": 0.25}\n'
    with log.open("w") as file:
        file.write(begun + ("x" * (1 << 21)) + "\n" + retry * 9)
        file.seek(1 << 27)
        file.write("\n" + ended)
    run = claude.recover(log)
    assert (run.session_id, run.auth_retries, run.cost_usd) == ("s", 0, 0.25)


@pytest.mark.parametrize(
    ("error", "status", "outcome", "code"),
    [
        ("authentication_failed", 401, "auth", 3),
        ("billing_error", 400, "billing", 3),
        ("model_not_found", 404, "model", 3),
        ("invalid_request", 413, "invalid_request", 3),
    ],
)
def test_failures_that_time_does_not_mend(
    project: Project, error: str, status: int, outcome: str, code: int
) -> None:
    project.script(f"api_error({error!r}, {status})")
    ended = project.run(task="t")
    assert ended.returncode == code and project.outcomes() == [outcome]
    assert "To go on" in ended.stdout


def test_an_overloaded_api_is_tried_again(project: Project) -> None:
    project.script("api_error('server_error', 529)", "api_error('rate_limit', 429)", DONE)
    assert project.run(task="t").returncode == 0
    assert project.outcomes() == ["transient", "transient", "done"]


def test_a_usage_limit_waits_until_it_resets(project: Project) -> None:
    limit = (
        "soon = {'status': 'rejected', 'resetsAt': time.time() + 2};"
        "emit(type='rate_limit_event', rate_limit_info=soon);"
        "api_error('rate_limit', 429)"
    )
    project.script(limit, DONE)
    began = time.monotonic()
    assert project.run(task="t").returncode == 0
    assert time.monotonic() - began > 2
    assert project.outcomes() == ["limited", "done"] and project.history("limit")


def test_a_fresh_valid_signal_beats_the_exit_code(project: Project) -> None:
    project.script("signal('done', summary='s'); RESULT.update(is_error=True)")
    assert project.run(task="t").returncode == 0


def test_a_child_that_never_leaves_after_its_result(project: Project) -> None:
    project.script("signal('done', summary='s'); emit(type='result', **RESULT); time.sleep(60)")
    assert project.run(task="t", timeout=20).returncode == 0


def test_a_child_that_does_not_start(project: Project) -> None:
    project.extra = {"FAKE_INIT_GRACE": "2"}
    project.script(CONTINUE, "NO_INIT = 1; time.sleep(60)", default=DONE)
    assert project.run(task="t", timeout=30).returncode == 0
    assert project.outcomes() == ["continue", "crash", "done"]


def test_a_hook_of_the_user_may_run_before_init(project: Project) -> None:
    """Its event is a sign of life: the start has not failed."""
    project.extra = {"FAKE_INIT_GRACE": "1"}
    hook = "emit(type='system', subtype='hook_started'); time.sleep(1.5); init()"
    project.script(default=f"NO_INIT = 1; {hook}; {DONE}")
    assert project.run(task="t").returncode == 0
    assert project.outcomes()[-1] == "done"


def test_what_a_child_leaves_running_is_ended(project: Project) -> None:
    """Detached, deaf to SIGTERM, without the mark in its environment: all gone, and on record."""
    project.script(
        "deaf = 'trap \"\" TERM; sleep 300 & wait; sleep 300';"
        "subprocess.Popen(['setsid', 'sh', '-c', deaf]);"
        "subprocess.Popen(['env', '-i', 'setsid', '/bin/sleep', '301']);"
        "time.sleep(0.5); signal('done', summary='s')"
    )
    assert project.run(task="t").returncode == 0
    left = project.history("iteration")[0]["left_over"]
    assert any("sleep" in entry for entry in left) and len(left) >= 3
    for entry in left:
        assert not Path(f"/proc/{entry.split()[0]}").exists()


def test_ctrl_c_once_after_this_iteration(project: Project) -> None:
    project.script("write('x'); time.sleep(1.5); signal('continue')", DONE)
    loop = project.start(task="t")
    wait_for(lambda: list(project.steps.glob("argv-1.json")))
    printed = end(loop, signal.SIGINT)
    assert loop.returncode == 130 and project.outcomes() == ["continue"], printed
    assert project.run().returncode == 0


@pytest.mark.parametrize("word", ["add", "status"])
def test_ctrl_c_while_git_runs(project: Project, word: str) -> None:
    """A terminal sends it to all that runs in it: git's end by it was reported as a fault."""
    there, slow = project.folder / "there", project.folder / "bin" / "git"
    slow.parent.mkdir()
    waits = f'case " $* " in *" {word} "*) [ -e {there} ] || {{ >{there}; sleep 1; }};; esac'
    slow.write_text(f'#!/bin/sh\n{waits}\nexec {shutil.which("git")} "$@"\n')
    slow.chmod(0o755)
    project.extra = {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    project.script(default=CONTINUE)
    loop = subprocess.Popen(
        project.command("--task", "t"), env=project.environ(), cwd=project.folder, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    wait_for(there.exists)
    os.killpg(loop.pid, signal.SIGINT)
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 130 and "Stopped by you" in printed, printed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_sigterm_stops_now(project: Project, number: int, code: int) -> None:
    project.script("time.sleep(60)", DONE)
    loop = project.start(task="t")
    wait_for(lambda: list(project.steps.glob("argv-1.json")))
    began = time.monotonic()
    end(loop, number)
    assert loop.returncode == code and time.monotonic() - began < 5
    assert project.outcomes() == ["stopped"]
    assert project.run().returncode == 0


def test_a_killed_loop_leaves_no_child_and_goes_on(project: Project) -> None:
    """SIGKILL of the loop: its child ends by itself; the signal it had left is obeyed once."""
    project.script("signal('continue', phase='requirements'); time.sleep(60)", DONE)
    loop = project.start(task="t")
    wait_for(
        lambda: (
            (project.folder / "sessions").exists()
            and list((project.folder / "sessions").glob("*/_signal.json"))
        )
    )
    end(loop)
    ended = project.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = project.history("iteration")
    assert [(i["n"], i["outcome"], i.get("recovered")) for i in lines] == [
        (1, "continue", True),
        (2, "done", None),
    ]
    assert lines[1]["phase"] == "requirements"


def test_one_loop_per_session(project: Project) -> None:
    project.script("time.sleep(60)")
    loop = project.start(task="t")
    wait_for(lambda: list(project.steps.glob("argv-1.json")))
    second = project.run()
    assert second.returncode == 2 and f"pid {loop.pid}" in second.stderr
    status = project.run("--max-iterations", "0")
    assert status.returncode == 0 and "a loop runs it now" in status.stdout
    end(loop, signal.SIGTERM)


def test_notes_and_new_rounds(project: Project) -> None:
    project.script(
        "signal('blocked', reason='need a decision')",
        "write('n.json', json.dumps(ITERATION)); signal('done', summary='s')",
        "write('r.json', json.dumps(ITERATION)); signal('done', summary='s2')",
    )
    assert project.run(task="t").returncode == 3
    assert project.run("--task", "do it so").returncode == 0
    assert "added a note" in (project.session / "n.json").read_text()
    assert project.run("--task", "do it so").returncode == 0, "the same words again change nothing"
    assert len(project.outcomes()) == 2
    assert project.run("--task", "and now this").returncode == 0
    third = json.loads((project.session / "r.json").read_text())
    assert third["phase"] == "investigation" and "new round" in third["notes"][0]
    text = (project.session / "_task.md").read_text()
    assert text.index("do it so") < text.index("and now this") and text.count("do it so") == 1


def test_verify_runs_before_done(project: Project) -> None:
    project.configure(VERIFY="grep -q good a.py")
    project.script(
        "signal('continue', phase='planning')",
        "plan()",
        TO_DONE,
        DONE,
        "write('n.json', json.dumps(ITERATION)); commit('a.py', 'good');" + TO_DONE,
        DONE,
    )
    ended = project.run("--yes", task="t")
    assert ended.returncode == 0, ended.stdout
    assert project.outcomes()[3:] == ["verify_failed", "continue", "done"]
    noted = json.loads((project.session / "n.json").read_text())
    assert noted["phase"] == "implementation" and "VERIFY failed" in noted["previous"]["note"]


def test_done_names_what_is_in_no_commit(project: Project) -> None:
    """A child forgot `git add`: the branch does not work without that file."""
    made = "[Path('new%02d.py' % n).write_text('x') for n in range(12)]; commit('a.py', 'x');"
    project.script("signal('continue', phase='planning')", "plan()", made + TO_DONE, default=DONE)
    ended = project.run("--yes", task="t")
    assert ended.returncode == 0
    assert "Not in any commit: new00.py, new01.py" in ended.stdout
    assert "new09.py and 2 more\n" in ended.stdout


def test_setup_runs_once(project: Project) -> None:
    project.configure(SETUP="echo x >> ../../ran")
    project.script(CONTINUE, DONE)
    assert project.run("--max-iterations", "1", task="t").returncode == 5
    assert project.run().returncode == 0
    assert (project.folder / "ran").read_text() == "x\n"


def test_a_failing_setup_blocks(project: Project) -> None:
    project.configure(SETUP="echo no such thing; false")
    project.script(DONE)
    ended = project.run(task="t")
    assert (
        ended.returncode == 3
        and "no such thing" in ended.stdout
        and not project.history("iteration")
    )
    project.configure(SETUP="true")
    assert project.run().returncode == 0


def test_what_a_killed_setup_left_is_ended(project: Project) -> None:
    project.configure(SETUP="(setsid sleep 300 & echo $! > ../../left); sleep 60")
    project.script(DONE)
    left = project.folder / "left"
    loop = project.start(task="t")
    wait_for(lambda: left.exists() and left.read_text())
    end(loop)
    project.configure(SETUP="true")
    assert project.run().returncode == 0
    wait_for(lambda: not Path("/proc", left.read_text().strip()).exists(), 5)


@pytest.mark.parametrize("key", ["SETUP", "VERIFY"])
def test_one_long_line_of_a_command_does_no_harm(project: Project, key: str) -> None:
    """It would go into the record, which has a size that nothing reads beyond."""
    project.configure(**{key: "head -c 9000000 /dev/zero; false"})
    blocked = "signal('blocked', reason='x')"
    project.script("signal('continue', phase='planning')", "plan()", TO_DONE, DONE, default=blocked)
    ended = project.run("--yes", task="t")
    assert ended.returncode == 3 and len(ended.stdout) < 1e6
    record = sum(path.stat().st_size for path in project.session.glob("_*"))
    assert record < 2e6
    assert (key == "VERIFY") is ("verify_failed" in project.outcomes())


def test_a_changed_history_is_put_back_and_blocks(project: Project) -> None:
    project.script("(SESSION / '_history.jsonl').write_text(''); signal('done', summary='s')")
    ended = project.run(task="the words")
    assert ended.returncode == 3 and "_history.jsonl" in ended.stdout
    assert project.outcomes() == ["tampered"]
    assert list(project.session.glob("_history.jsonl.kept-*"))


def test_other_printed_files_are_printed_again(project: Project) -> None:
    """What a child made of them is kept beside, and said."""
    project.script(
        "(SESSION / '_task.md').write_text('do less'); (SESSION / '_iteration.json').unlink();"
        "write('x'); signal('continue')",
        "write('seen.md', (SESSION / '_task.md').read_text()); signal('done', summary='s')",
    )
    ended = project.run(task="the words")
    assert ended.returncode == 0 and "_task.md was changed" in ended.stdout
    assert "the words" in (project.session / "seen.md").read_text()
    assert [path.read_text() for path in project.session.glob("_task.md.kept-*")] == ["do less"]


def test_what_a_person_adds_to_the_task_is_a_note(project: Project) -> None:
    project.script("signal('blocked', reason='x')", DONE)
    project.run(task="the words")
    with (project.session / "_task.md").open("a") as file:
        file.write("\nand make it blue\n")
    assert project.run().returncode == 0
    (note,) = [line for line in project.history("task") if line["kind"] == "note"]
    assert note["text"] == "and make it blue"
    assert (project.session / "_task.md").read_text().count("and make it blue") == 1


def test_a_note_to_a_running_loop_reaches_its_next_child(project: Project) -> None:
    project.script(
        "write('up')\nwhile not (SESSION / 'sent').exists(): time.sleep(0.05)\nsignal('continue')",
        "write('seen', (SESSION / '_task.md').read_text()); signal('continue')",
        DONE,
    )
    loop = project.start(task="the words")
    wait_for(lambda: list((project.folder / "sessions").glob("*/up")))
    assert "runs: the note is read" in project.run(task="and make it blue").stdout
    (project.session / "sent").touch()
    printed = loop.communicate(timeout=30)[0]
    assert "and make it blue" in (project.session / "seen").read_text()
    assert "_task.md was changed" not in printed


def test_research_without_git(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    project = Project(tmp_path, plain)
    project.script("signal('continue', phase='implementation')", DONE)
    ended = project.run("--dive", "what is here")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{plain} is in no git repository: research only" in ended.stdout
    assert project.outcomes() == ["bad_signal", "done"]


def test_the_worktree_comes_back(project: Project) -> None:
    project.script(CONTINUE, CONTINUE, DONE)
    project.run("--max-iterations", "1", task="t")
    git("worktree", "remove", "--force", str(project.worktree), cwd=project.repo)
    assert "made again" in project.run("--max-iterations", "1").stdout
    assert project.run().returncode == 0 and (project.worktree / "a.py").exists()
