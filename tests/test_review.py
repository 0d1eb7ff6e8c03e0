"""What a reviewer found broken, each as it was seen."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.conftest import git
from tests.harness import Project, end, wait_for

DONE = "signal('done', summary='s')"
ASK = "ask(); signal('waiting', **{'for': 'qa_answers'})"


def test_an_approval_taken_back_leaves_the_commits(project: Project) -> None:
    """What was built while the plan was approved stays; the next child is not blamed for it."""
    project.script(
        "signal('continue', phase='planning')",
        "plan()",
        "commit('a.py', 'built'); ask(); signal('waiting', **{'for': 'qa_answers'})",
        "write('n.json', json.dumps(ITERATION)); plan('plan2.md')",
    )
    project.run("--on-wait", "exit", task="t")
    project.answer(1, "yes")
    assert project.run("--on-wait", "exit").returncode == 4
    path = project.session / "_qa.md"
    path.write_text(path.read_text().replace("Answer: yes", "Answer: no, do it otherwise"))
    project.answer(2, "A")
    ended = project.run("--on-wait", "exit")
    assert ended.returncode == 4, ended.stdout
    told = json.loads((project.session / "n.json").read_text())
    assert told["phase"] == "planning" and "do it otherwise" in " ".join(told["notes"])
    assert (project.worktree / "a.py").read_text() == "built"


def test_a_silent_telegram_server_holds_no_gate(project: Project) -> None:
    project.script("ask(); signal('waiting', **{'for': 'qa_answers'})", DONE)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        project.extra = {
            "TELEGRAM_BOT_TOKEN": "1:abc",
            "TELEGRAM_CHAT_ID": "1",
            "TELEGRAM_API_URL": f"http://127.0.0.1:{deaf.getsockname()[1]}",
        }
        loop = project.start(task="t")
        wait_for(lambda: project.history("asked"))
        project.answer(1, "A")
        wait_for(lambda: project.history("answer"), seconds=5)
        began = time.monotonic()
        end(loop, signal.SIGTERM)
        assert time.monotonic() - began < 10


def test_setup_that_changes_a_tracked_file_does_not_shut_research_in(project: Project) -> None:
    project.configure(SETUP="echo changed >> a.py")
    project.script(DONE)
    assert project.run("--dive", "look").returncode == 0


def dirty_from_birth(repo: Path) -> None:
    """A committed file that the clean filter of .gitattributes would change: LFS was forgotten."""
    git("config", "filter.point.clean", "sed s/raw/pointer/", cwd=repo)
    (repo / "big.bin").write_text("raw\n")
    git("add", ".", cwd=repo)
    git("commit", "-qm", "raw", cwd=repo)
    (repo / ".gitattributes").write_text("*.bin filter=point\n")
    git("add", ".gitattributes", cwd=repo)
    git("commit", "-qm", "attributes", cwd=repo)


def test_a_file_that_is_dirty_from_birth_is_nobodys_fault(project: Project) -> None:
    dirty_from_birth(project.repo)
    project.script(
        "signal('continue', phase='planning')",
        "plan()",
        "commit('a.py', 'built'); signal('continue', phase='done')",
        DONE,
        DONE,
    )
    ended = project.run("--yes", task="t")
    assert ended.returncode == 0, ended.stdout
    assert git("status", "--short", cwd=project.worktree) == "M big.bin", "it was dirty all along"


def test_what_a_child_changes_of_it_is_the_childs(project: Project) -> None:
    dirty_from_birth(project.repo)
    project.script(
        "signal('continue', phase='planning')",
        "plan()",
        "Path('big.bin').write_text('mine'); signal('continue', phase='done')",
        default=DONE,
    )
    ended = project.run("--yes", task="t")
    assert ended.returncode == 3 and "big.bin" in ended.stdout, ended.stdout


def test_what_the_human_changes_between_two_children_is_no_childs(project: Project) -> None:
    """Before approval each child is compared with the moment it began at."""
    project.script(ASK, "signal('continue', phase='planning')", "plan()")
    assert project.run("--on-wait", "exit", task="t").returncode == 4
    (project.worktree / "a.py").write_text("the human's\n")
    git("commit", "-qam", "by hand", cwd=project.worktree)
    (project.worktree / "test_a.py").write_text("and this\n")
    project.answer(1, "A")
    ended = project.run("--on-wait", "exit")
    assert ended.returncode == 4, ended.stdout


def test_the_files_of_a_commit_before_approval_are_named(project: Project) -> None:
    project.script("commit('b.py', 'too early'); signal('continue', phase='requirements')")
    ended = project.run(task="t")
    assert ended.returncode == 3
    assert "Code changed before a plan was approved: HEAD (" in ended.stdout
    assert "b.py. Nothing was reverted" in ended.stdout


def test_done_on_another_branch_is_sent_back(project: Project) -> None:
    project.script(
        "signal('continue', phase='planning')",
        "plan()",
        "git('switch', '-qc', 'elsewhere'); commit('a.py', 'x'); signal('continue', phase='done')",
        DONE,
        f"git('switch', '-q', 'samocode/' + SESSION.name); git('merge', '-q', 'elsewhere'); {DONE}",
    )
    ended = project.run("--yes", task="t")
    assert ended.returncode == 0, ended.stdout
    assert project.outcomes()[3:] == ["bad_signal", "done"]
    assert "change a.py" in ended.stdout


def test_the_command_to_go_on_keeps_the_limits(project: Project) -> None:
    project.script("signal('continue')")
    limits = ("--max-cost", "7", "--max-iterations", "1")
    ended = project.run(*limits, "--model", "haiku", "--timeout", "77", task="t")
    assert ended.returncode == 5
    assert "--model haiku --timeout 77 --max-iterations 1 --max-cost 7\n" in ended.stdout


@pytest.mark.parametrize("flag", [True, False])
def test_a_cost_limit_is_raised_by_the_person(project: Project, flag: bool) -> None:
    """The command with the same limit would stop again at once."""
    project.script("signal('continue')")
    project.extra = {} if flag else {"SAMOCODE_MAX_COST": "0.2"}
    ended = project.run(*(("--max-cost", "0.2") if flag else ()), task="t")
    assert ended.returncode == 5
    for text in (ended.stdout, project.run("--max-iterations", "0", "--max-cost", "0.2").stdout):
        line = next(line for line in text.splitlines() if line.startswith("To go on"))
        assert line.startswith("To go on, raise the limit: ")
        assert line.endswith("-work --max-cost N") and line.count("--max-cost") == 1


def test_a_claude_of_another_machine_is_refused_with_its_reason(project: Project) -> None:
    odd = project.folder / "odd"
    odd.write_bytes(b"\x7fNOT A PROGRAM")
    odd.chmod(0o755)
    project.extra = {"CLAUDE_PATH": str(odd)}
    ended = project.run(task="t")
    assert ended.returncode == 3 and "cannot be run" in ended.stdout
    assert "CLAUDE_PATH" in ended.stdout
    assert "Traceback" not in ended.stderr and project.outcomes() == ["crash"]


def test_a_terminal_that_cannot_show_everything(project: Project) -> None:
    project.extra = {"PYTHONIOENCODING": "latin-1:strict"}
    project.script(f"text('\u2192 \u5b57'); {DONE}")
    ended = project.run(task="t")
    assert ended.returncode == 0 and "Traceback" not in ended.stderr


def test_the_numbers_of_questions_are_the_loops(project: Project) -> None:
    """One series for all kinds; neither a signal nor a heading in an artifact or an answer adds to
    it."""
    wait = "signal('waiting', **{'for': 'qa_answers'}, phase='planning')"
    numbered = "question['id'] = 7; " + wait.replace("waiting'", "waiting', questions=[question]")
    project.script(
        f"ask(); question = dict(ASKED[0]); {numbered}",
        f"write('x.md', '## Q999999999: x'); ask(); {wait}",
        "plan()",
        DONE,
    )
    project.run("--on-wait", "exit", task="t")
    assert project.outcomes() == ["bad_signal", "waiting"]
    project.answer(1, "## Q888888888: mine")
    project.run("--yes", "--max-iterations", "1")
    assert [line["id"] for line in project.history("asked")] == [1, 2]


def test_a_damaged_history_is_not_the_childs_to_mend(project: Project) -> None:
    history = "(SESSION / '_history.jsonl')"
    project.script(
        f"old = {history}.read_text(); {history}.write_text('rubbish\\n');"
        "hook = json.loads(sys.argv[sys.argv.index('--settings') + 1])['hooks']['Stop'];"
        "command = hook[0]['hooks'][0]['command'];"
        "write('code.txt', str(subprocess.run(command, shell=True).returncode));"
        f"{history}.write_text(old); {DONE}"
    )
    assert project.run(task="t").returncode == 0
    assert (project.session / "code.txt").read_text() == "1"


def test_files_that_are_not_in_the_worktree_are_counted(project: Project) -> None:
    """New ones too; not what Samocode has there itself, nor what is ignored."""
    project.script(DONE)
    settings = {"MAIN_REPO": ".", "WORKTREES": "worktrees", "SESSIONS": "sessions"}
    (project.repo / ".samocode").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    (project.repo / "sessions").mkdir()
    (project.repo / "sessions" / "old.md").touch()
    for name, said in (("one", False), ("two", True)):
        if said:
            (project.repo / "src").mkdir()
            (project.repo / "src" / "login.py").touch()
            (project.repo / "__pycache__").mkdir()
            (project.repo / "__pycache__" / "x.pyc").touch()
            (project.repo / "a.py").write_text("changed")
        project.name = name
        ended = project.run("--config", str(project.repo), task="t")
        assert ended.returncode == 0, ended.stderr
        assert ("new files of MAIN_REPO are not in it (2 files)" in ended.stdout) == said
        assert ("are not in it" in ended.stdout) == said
