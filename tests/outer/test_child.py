"""The child's world: what it is given, what checks it, and what it cannot change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.outer import speech
from tests.outer.stage import DONE, MAIN, TO_DONE, TO_PLANNING, WORK, Stage
from tests.telegram_api import TOKEN, TelegramApi


def test_every_child_gets_the_same_prompt(stage: Stage) -> None:
    """Byte for byte, whatever the phase: workflow.md and the names of two folders."""
    stage.script(WORK, "work(); raw(b'')", TO_PLANNING, "plan()", TO_DONE, DONE)
    assert stage.begin("--yes").code == 0
    (prompt,) = {stage.child(n)["prompt"] for n in range(1, 7)}
    assert str(stage.session) in prompt and str(MAIN.parent / "commands") in prompt
    assert prompt.startswith((MAIN.parent / "workflow.md").read_text())


def test_a_child_works_in_the_worktree_with_an_id_of_its_own(stage: Stage) -> None:
    """A fresh --session-id each; the session folder and the commands are open to it."""
    stage.script(WORK, WORK, DONE)
    assert stage.begin("--model", "sonnet").code == 0
    runs = [stage.child(n) for n in (1, 2, 3)]
    assert {run["cwd"] for run in runs} == {str(stage.worktree)}
    ids = [run["argv"][run["argv"].index("--session-id") + 1] for run in runs]
    assert len(set(ids)) == 3
    assert [line["session_id"] for line in speech.iterations(stage.session)] == ids
    argv = runs[0]["argv"]
    assert argv[argv.index("--model") + 1] == "sonnet"
    assert str(stage.session) in argv[argv.index("--add-dir") + 1 :]


def test_claude_args_come_last(stage: Stage) -> None:
    """Quoted as in a shell, after the loop's own flags."""
    stage.extra["CLAUDE_ARGS"] = "--effort 'very high'"
    stage.script(DONE)
    assert stage.begin().code == 0
    assert stage.child(1)["argv"][-2:] == ["--effort", "very high"]


def test_the_childs_environment(stage: Stage) -> None:
    """The user's, less what belongs to an outer run, to another repository or to Telegram."""
    outer = ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "GIT_DIR", "GIT_INDEX_FILE")
    with TelegramApi() as phone:
        stage.extra = {"MINE": "yes"} | dict.fromkeys(outer, "1") | phone.environ
        stage.script(DONE)
        ended = stage.begin()
    assert ended.code == 0 and TOKEN not in ended.out
    environ = stage.child(1)["environ"]
    assert environ["MINE"] == "yes" and environ["SAMOCODE_RUN"] == str(stage.session)
    assert not [name for name in environ if name.startswith("TELEGRAM_") or name in outer]
    assert len([text for text in phone.texts if "It works" in text]) == 1
    files = [path for path in stage.session.rglob("*") if path.is_file()]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_each_child_has_logs_of_its_own(stage: Stage) -> None:
    """Its output goes straight into a file that nobody else may read."""
    stage.script("text('the first'); " + WORK, "text('the second'); " + DONE)
    assert stage.begin().code == 0
    logs = sorted((stage.session / "_logs").glob("*.jsonl"))
    assert len(logs) == 2 and [log.name[:3] for log in logs] == ["001", "002"]
    assert "the first" in logs[0].read_text() and "the second" in logs[1].read_text()
    assert "the second" not in logs[0].read_text()
    assert {log.stat().st_mode & 0o777 for log in logs} == {0o600}


# The Stop hook.


def hooked(stage: Stage) -> list[dict[str, Any]]:
    """What each `hook()` of the stub saw: exit, said, wrote."""
    return [json.loads(line) for line in (stage.steps / "hook.jsonl").read_text().splitlines()]


def test_the_hook_lets_a_good_signal_pass(stage: Stage) -> None:
    """Exit 0 without a word, in each phase, and nothing is written."""
    stage.script(
        "work(); signal(phase='planning'); hook()",
        "plan(); hook()",
        "commit('a.py', 'two\\n'); signal(phase='done'); hook()",
        DONE + "; hook()",
    )
    assert stage.begin("--yes").code == 0
    assert hooked(stage) == [{"exit": 0, "said": "", "wrote": False}] * 4


BAD = {
    "missing": "pass",
    "not JSON": "raw(b'{')",
    "a phase before approval": "signal(phase='testing')",
    "a plan in investigation": "plan()",
    "code before approval": "Path('a.py').write_text('x'); signal()",
}


@pytest.mark.parametrize("step", BAD.values(), ids=BAD)
def test_the_hook_sends_a_child_back(stage: Stage, step: str) -> None:
    """Exit 2 with what is wrong, nothing written; what the child then leaves right counts."""
    right = "git('checkout', '-q', 'a.py'); work(); signal(); hook()"
    stage.script(f"{step}; hook(); {right}", DONE)
    assert stage.begin().code == 0 and stage.outcomes == ["continue", "done"]
    first, second = hooked(stage)
    assert first["exit"] == 2 and len(first["said"].strip()) > 20 and not first["wrote"]
    assert second == {"exit": 0, "said": "", "wrote": False}
    if step == BAD["code before approval"]:
        assert "a.py" in first["said"]


def test_the_hook_and_the_loop_agree_on_questions(stage: Stage) -> None:
    """A good question passes both."""
    stage.script("ask('Which?'); hook()", DONE)
    assert stage.begin("--on-wait", "exit").code == 4
    assert hooked(stage) == [{"exit": 0, "said": "", "wrote": False}]


# Tampering.


@pytest.mark.parametrize(
    "harm",
    ["write_text('')", "unlink()", 'write_text(h.read_text() + \'{"event": "approved"}\\n\')'],
    ids=["emptied", "removed", "forged"],
)
def test_a_changed_history_is_put_back_and_blocks(stage: Stage, harm: str) -> None:
    """Whatever the child signalled: 3, every line is there again, the next start goes on."""
    keep = "h = SESSION / '_history.jsonl'; write('copy', h.read_text()); "
    stage.script(WORK, f"{keep}h.{harm}; {DONE}", DONE)
    ended = stage.begin()
    assert ended.code == 3 and "_history.jsonl" in ended.out and "done" not in stage.outcomes
    copy = (stage.session / "copy").read_text()
    assert copy and (stage.session / "_history.jsonl").read_text().startswith(copy)
    assert stage.run().code == 0


@pytest.mark.parametrize("harm", ["write_text('burn it')", "unlink()"], ids=["forged", "removed"])
def test_the_humans_words_are_put_back(stage: Stage, harm: str) -> None:
    """_task.md holds them again for the next child, and not the forged ones as theirs."""
    stage.script(f"(SESSION / '_task.md').{harm}; {WORK}", DONE)
    assert stage.begin().code in (0, 3)
    assert stage.run().code == 0
    assert "build it" in (stage.session / "_task.md").read_text()
    assert "build it" in stage.told(2)
