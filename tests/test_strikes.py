"""What stops work that gets nowhere, through the loop: strikes, a person's decision, and claude's
own words."""

from __future__ import annotations

import pytest

from tests.harness import Project, end, wait_for

CRASH = "NO_INIT = 1; print('segfault,\\nsorry', file=sys.stderr); sys.exit(1)"
IDLE = "signal('continue')"
DONE = "signal('done', summary='s')"


def test_three_strikes_of_any_kind(project: Project) -> None:
    """In any mix; the person reads each kind, and the words of the last."""
    project.script("write('a')", "time.sleep(60)", CRASH)
    ended = project.run("--timeout", "1", task="t")
    assert (ended.returncode, project.outcomes()) == (3, ["no_signal", "timeout", "crash"])
    assert "(no signal, timeout, crash)" in ended.stdout and "segfault,\nsorry" in ended.stdout


def test_a_claude_that_never_begins_is_refused_at_once(project: Project) -> None:
    """With its own words; it is the wrong program, or its flags are."""
    project.script(CRASH)
    ended = project.run(task="t")
    assert (ended.returncode, project.outcomes()) == (3, ["crash"])
    assert "segfault,\nsorry" in ended.stdout and "CLAUDE_PATH" in ended.stdout
    assert str(next((project.session / "_logs").glob("001-*.jsonl"))) in ended.stdout


@pytest.mark.parametrize("note", [None, "The disk was full."])
def test_a_note_is_a_decision_and_a_start_after_1_is_none(
    project: Project, note: str | None
) -> None:
    """A supervisor that starts the loop again and again does not make three tries of one."""
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
def test_an_answer_of_a_person_starts_counting_anew(project: Project, person: bool) -> None:
    """--yes does not."""
    ask = "ask(); signal('waiting', **{'for': 'qa_answers'})"
    project.script(IDLE, IDLE, ask, default=IDLE)
    if person:
        assert project.run("--on-wait", "exit", task="t").returncode == 4
        project.answer(1, "B")
    ended = project.run(*(() if person else ("--yes",)), task="t")
    assert ended.returncode == 3, ended.stdout
    assert project.outcomes()[3:] == [*(["continue"] * 2 if person else []), "stalled"]


def test_a_note_to_a_running_loop_starts_nothing_anew(project: Project) -> None:
    """A child ran meanwhile: nobody knows who sent it."""
    sent = "while not Path(os.environ['FAKE_STEPS'], 'sent').exists(): time.sleep(0.05)\n"
    project.script(IDLE, sent + IDLE, default=IDLE)
    loop = project.start(task="t")
    wait_for(lambda: (project.steps / "argv-2.json").exists())
    assert project.run(task="more").returncode == 0
    (project.steps / "sent").touch()
    assert "nothing behind" in end(loop, 0)
    assert project.outcomes() == ["continue", "continue", "stalled"]
    assert not list(project.session.glob("*.kept-*")), "printed before the third child"


def test_a_refusal_by_a_hook_reaches_the_person(project: Project) -> None:
    """A UserPromptSubmit hook: success, no answer, the reason in the result."""
    words = (
        "Blocked by hook: Not allowed by Example Corp.\\n\\n\\nOriginal prompt: # One" + "x" * 3000
    )
    project.script(default=f"RESULT.update(result='{words}')")
    ended = project.run(task="t")
    assert ended.returncode == 3 and "Not allowed by Example Corp." in ended.stdout
    assert "No _signal.json" not in ended.stdout and "Original prompt" not in ended.stdout
