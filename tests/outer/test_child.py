"""What a child is given, and the Stop hook that checks its signal."""

from __future__ import annotations

from tests.outer import speech
from tests.outer.stage import DONE, MAIN, TO_DONE, TO_PLANNING, WORK, Stage


def test_every_child_gets_the_same_prompt(stage: Stage) -> None:
    """The prompt is workflow.md and the names of two folders. It is byte-identical in all
    phases."""
    stage.script(WORK, "work(); raw(b'')", TO_PLANNING, "plan()", TO_DONE, DONE)
    assert stage.begin("--yes").code == 0
    (prompt,) = {stage.child(n)["prompt"] for n in range(1, 7)}
    assert str(stage.session) in prompt and str(MAIN.parent / "commands") in prompt
    assert prompt.startswith((MAIN.parent / "workflow.md").read_text())


def test_a_child_works_in_the_worktree_with_an_id_of_its_own(stage: Stage) -> None:
    """Each child has a new --session-id and access to the session folder. CLAUDE_ARGS come last,
    split as by a shell. The environment is the user's, without variables of an outer claude or
    git."""
    outer = ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "GIT_DIR", "GIT_INDEX_FILE")
    stage.extra = {"MINE": "yes", "CLAUDE_ARGS": "--effort 'very high'"} | dict.fromkeys(outer, "1")
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
    assert argv[-2:] == ["--effort", "very high"]
    environ = runs[0]["environ"]
    assert environ["MINE"] == "yes" and environ["SAMOCODE_RUN"] == str(stage.session)
    assert not set(environ) & set(outer)


# The Stop hook.


def test_the_hook_lets_a_good_signal_pass(stage: Stage) -> None:
    """For a valid signal the hook exits with 0, without output, and writes nothing."""
    stage.script(
        "ask(phase='planning'); hook()",
        "plan(); hook()",
        "commit('a.py', 'two\\n'); signal(phase='done'); hook()",
        DONE + "; hook()",
    )
    assert stage.begin("--yes").code == 0
    assert stage.hooked == [{"exit": 0, "said": "", "wrote": False}] * 4


def test_the_hook_sends_a_child_back(stage: Stage) -> None:
    """For a wrong signal the hook exits with 2, says what is wrong and writes nothing. A signal
    that is then corrected counts."""
    right = "git('checkout', '-q', 'a.py'); work(); signal(); hook()"
    stage.script(f"Path('a.py').write_text('x'); signal(); hook(); {right}", DONE)
    assert stage.begin().code == 0 and stage.outcomes == ["continue", "done"]
    first, second = stage.hooked
    assert first["exit"] == 2 and "a.py" in first["said"] and not first["wrote"]
    assert second == {"exit": 0, "said": "", "wrote": False}
