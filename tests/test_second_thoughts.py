"""The human thinks again, or writes in a way nobody thought of, at any moment: the words count, and
nothing is built on an answer that no longer stands."""

from __future__ import annotations

import signal
import time

import pytest

from tests.harness import Project, end, wait_for
from tests.test_gate import Terminal, open_terminal, terminals

__all__ = ["terminals"]  # the fixture

TO_PLANNING = "signal('continue', phase='planning')"
BUILD = "commit('a.py', 'built'); signal('blocked', reason='built')"
TOLD = "signal('blocked', reason=repr(ITERATION['notes']))"
ASK_TWO = "ask('Which?'); ask('Where?'); signal('waiting', **{'for': 'qa_answers'})"
ASK = "ask('Which?'); signal('waiting', **{'for': 'qa_answers'})"
DONE = "signal('done', summary='s')"


def answer(project: Project, number: int, text: str) -> None:
    """Once it is asked."""
    wait_for(lambda: any(line["id"] == number for line in project.history("asked")))
    project.answer(number, text)


def edit(project: Project, old: str, new: str) -> None:
    """One place of the file, as an editor saves it; read once it has settled."""
    path = project.session / "_qa.md"
    text = path.read_text()
    assert old in text, text
    temporary = path.with_name("human.tmp")
    temporary.write_text(text.replace(old, new, 1))
    temporary.rename(path)
    time.sleep(0.3)


def approved(project: Project, *steps: str) -> None:
    """A loop that was stopped in the first iteration after the human approved a plan."""
    project.script(TO_PLANNING, "plan()", "write('up'); time.sleep(60)", *steps)
    loop = project.start(task="t")
    answer(project, 1, "yes")
    wait_for(lambda: (project.session / "up").exists())
    loop.send_signal(signal.SIGINT)
    time.sleep(0.3)
    end(loop, signal.SIGINT)


def unbuilt(project: Project) -> bool:
    """Nothing was built, and a person is asked."""
    return (project.worktree / "a.py").read_text() != "built"


def answers(project: Project) -> list[str]:
    """The answers on record, in order."""
    return [line["text"] for line in project.history("answer")]


def test_an_approval_struck_out_between_two_runs(project: Project) -> None:
    """The question is open again, and nothing is built before another yes."""
    approved(project, BUILD)
    edit(project, "Answer: yes", "Answer:")
    again = project.run("--on-wait", "exit")
    assert again.returncode == 4 and "struck out" in again.stdout, again.stdout
    assert unbuilt(project)
    assert "Answered before:\n\n> yes\n\nAnswer:\n" in (project.session / "_qa.md").read_text()
    answer(project, 1, "before")
    assert project.run().returncode == 3 and not unbuilt(project)


def test_an_approval_written_over_between_two_runs(project: Project) -> None:
    """Label and all: the words count, and are a change request."""
    approved(project, TOLD)
    edit(project, "Answer: yes", "NO, stop")
    again = project.run()
    assert again.returncode == 3 and unbuilt(project)
    assert "wants this change: NO, stop" in again.stdout
    assert project.history("answer")[-1]["took"] == ["change"]


@pytest.mark.parametrize("new", ["Answer: no, stop", "NO, stop", "Answer:"])
def test_an_approval_taken_back_after_a_kill(project: Project, new: str) -> None:
    """Whether the child or the human wrote there, nobody can tell: so it is asked again."""
    project.script(TO_PLANNING, "plan()", "write('up'); time.sleep(60)", BUILD)
    loop = project.start(task="t")
    answer(project, 1, "yes")
    wait_for(lambda: (project.session / "up").exists())
    end(loop)
    edit(project, "Answer: yes", new)
    again = project.run("--on-wait", "exit")
    assert again.returncode == 4 and unbuilt(project), again.stdout
    words = new.removeprefix("Answer:").strip()
    assert f"Not taken yet:\n\n> {words}" in again.stdout or not words
    answer(project, 1, "same" if words else "no, stop")
    assert project.run("--max-iterations", "1").returncode in (3, 5)
    assert project.history("answer")[-1]["took"] == ["change"]


def test_an_approval_taken_back_while_a_child_runs(project: Project) -> None:
    """The iteration ends, and then a person is asked: `same` makes it so."""
    project.script(TO_PLANNING, "plan()", "write('up'); time.sleep(1); signal('continue')", TOLD)
    loop = project.start(task="t")
    answer(project, 1, "yes")
    wait_for(lambda: (project.session / "up").exists())
    edit(project, "Answer: yes", "Answer: no, stop")
    wait_for(lambda: project.history("found"))
    wait_for(lambda: "> no, stop" in (project.session / "_qa.md").read_text())
    answer(project, 1, "same")
    assert "wants this change: no, stop" in loop.communicate(timeout=30)[0]


def test_taken_back_after_ctrl_c_in_verify(project: Project) -> None:
    """The signal said done and counts; the words against it are shown, and asked about."""
    project.configure(VERIFY="sleep 60")
    build = "commit('a.py', 'x'); signal('continue', phase='done')"
    project.script(TO_PLANNING, "plan()", build, DONE)
    loop = project.start(task="t")
    answer(project, 1, "yes")
    wait_for(lambda: list((project.session / "_logs").glob("*verify*")))
    loop.send_signal(signal.SIGINT)
    time.sleep(0.3)
    end(loop, signal.SIGINT)
    edit(project, "Answer: yes", "Answer: no, b.py too")
    project.configure()
    again = project.run("--on-wait", "exit")
    assert again.returncode == 0 and project.history("found")[0]["text"] == "no, b.py too"
    assert "text was found for Q1" in again.stdout


@pytest.mark.parametrize("keys", ["yes\nbut not phase 2\n", "yes\nbut not phase 2"])
def test_a_paste_is_one_answer(project: Project, terminals: list[Terminal], keys: str) -> None:
    """A first line that says yes is no yes when more comes with it, with or without Enter."""
    project.script(TO_PLANNING, "plan()", TOLD)
    at = open_terminal(project, terminals)
    at.wait_for("answer to Q1 [yes, or what to change]")
    at.type(keys)
    assert at.close() == 3
    assert answers(project) == ["yes\nbut not phase 2"] and not project.history("approved")
    assert "Answer: yes\nbut not phase 2" in (project.session / "_qa.md").read_text()


def test_enter_does_not_overrule_the_file(project: Project, terminals: list[Terminal]) -> None:
    """Saved a moment ago, and not yet settled: the words in the file are the human's."""
    project.extra = {"FAKE_SETTLE": "1"}
    project.script(ASK, DONE)
    at = open_terminal(project, terminals)
    at.wait_for("answer to Q1 [Enter: A]")
    time.sleep(1.2)
    edit(project, "\nAnswer:", "\nAnswer: neither")
    at.type("\n")
    assert at.close() == 0
    assert answers(project) == ["neither"]


def test_an_old_approval_question_approves_nothing(project: Project) -> None:
    """Refused; then the plan was rewritten in place: the old no, made a yes, never saw that."""
    rewrite = "write('plan.md', 'drop the table'); signal('blocked', reason='which?')"
    project.script(TO_PLANNING, "plan()", rewrite, TOLD)
    loop = project.start(task="t")
    answer(project, 1, "smaller")
    loop.communicate(timeout=30)
    edit(project, "Answer: smaller", "Answer: yes")
    again = project.run("--on-wait", "exit")
    assert not project.history("approved") and "an old question on plan.md: yes" in again.stdout


def test_half_a_sentence_approves_nothing(project: Project) -> None:
    """An editor saved by itself in the middle of "yes, but ..."; the words stay on the page."""
    project.script(TO_PLANNING, "plan()", TOLD)
    loop = project.start(task="t")
    answer(project, 1, "yes,")
    time.sleep(1)
    assert loop.poll() is None and answers(project) == []
    edit(project, "Answer: yes,", "Answer: yes, but not phase 2")
    printed = loop.communicate(timeout=30)[0]
    assert answers(project) == ["yes, but not phase 2"] and "for the rest of: yes," in printed


@pytest.mark.parametrize(
    ("new", "text"),
    [
        ("\n  Answer: B", "B"),
        ("\nAnswer: so:\n\n## Q2 targets\nper month", "so:\n\n## Q2 targets\nper month"),
        ("\nAnswer: so:\n\n## Q7 targets\nper month", "so:\n\n## Q7 targets\nper month"),
        ("\nB", "B"),
        ("\n> Answer: B", "B"),
        ("\nAnser: B", "Anser: B"),
        ("\n```\nAnswer: B\n```", "```\nB\n```"),
    ],
    ids=["indented", "a known number", "another", "no label", "quoted", "misspelt", "fenced"],
)
def test_words_in_an_unforeseen_form(project: Project, new: str, text: str) -> None:
    """The words count wherever they are in their block; a neighbour's stay a neighbour's."""
    project.script(ASK_TWO, DONE)
    loop = project.start(task="t")
    wait_for(lambda: len(project.history("asked")) == 2)
    wait_for(lambda: project.history("asked") and (project.session / "_qa.md").exists())
    edit(project, "\nAnswer:", new)
    wait_for(lambda: project.history("answer"))
    answer(project, 2, "PDF")
    loop.communicate(timeout=30)
    found = [[word for word in a.split() if word.isalnum()] for a in answers(project)]
    assert found == [[word for word in text.split() if word.isalnum()], ["PDF"]]
    assert len(project.history("asked")) == 2


def test_a_question_that_arises_while_one_waits(project: Project) -> None:
    """The plan is edited during a wait: the approval asked for again is shown, too."""
    ask = "ask('Where?'); signal('waiting', **{'for': 'qa_answers'})"
    project.script(TO_PLANNING, "plan()", ask, TOLD)
    loop = project.start(task="t")
    answer(project, 1, "yes")
    wait_for(lambda: len(project.history("asked")) == 2)
    time.sleep(0.5)
    (project.session / "plan.md").write_text("# Another plan\n")
    answer(project, 2, "here")
    wait_for(lambda: len(project.history("asked")) == 3)
    time.sleep(0.5)
    assert "## Q3: Approve the plan plan.md?" in end(loop)


def test_an_answer_to_an_approval_that_lapsed(project: Project) -> None:
    """It is no change request, but the child is told of it."""
    back = "write('built'); signal('continue', phase='planning')"
    blocked = "signal('blocked', reason='no key')"
    project.script(TO_PLANNING, "plan()", back, blocked, TOLD)
    loop = project.start(task="t")
    answer(project, 1, "yes")
    loop.communicate(timeout=30)
    edit(project, "Answer: yes", "Answer: use sqlite")
    again = project.run("--on-wait", "exit").stdout
    assert "an old question on plan.md: use sqlite" in again
    assert "took" not in project.history("answer")[-1]


def test_words_given_twice_are_told_of(project: Project) -> None:
    """Not added, but not dropped in silence either."""
    project.script("signal('continue')", DONE)
    assert project.run(task="t").returncode == 0
    assert "--task are in _task.md already" in project.run(task="t").stdout


@pytest.mark.parametrize("new", ["Answer:", "NO, stop", "Answer: no, stop"])
def test_an_approval_by_yes_taken_back_while_a_child_runs(project: Project, new: str) -> None:
    """--yes said it, but it does not say it again over words against it, or over none."""
    child = "write('up'); time.sleep(1); signal('continue')"
    project.script(TO_PLANNING, "plan()", child, BUILD)
    loop = project.start("--on-wait", "exit", "--yes", task="t")
    wait_for(lambda: project.history("approved") and (project.session / "up").exists())
    edit(project, "Answer: approve", new)
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 4 and unbuilt(project), printed


def test_a_typed_yes_can_be_struck_out(project: Project, terminals: list[Terminal]) -> None:
    """It stands in the file as if it had been written there."""
    project.script(TO_PLANNING, "plan()", "write('up'); time.sleep(60)", BUILD)
    at = open_terminal(project, terminals)
    at.wait_for("answer to Q1 [yes, or")
    at.type("yes\n")
    wait_for(lambda: (project.session / "up").exists())
    at.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    at.process.send_signal(signal.SIGINT)
    at.close()
    edit(project, "Answer: yes", "Answer:")
    assert project.run("--on-wait", "exit").returncode == 4 and unbuilt(project)


@pytest.mark.parametrize("text", ["no, see my comments, in short:", "hmm...", "No -"])
def test_only_a_yes_waits_for_its_end(project: Project, text: str) -> None:
    """Whatever else breaks off is a change request."""
    project.script(TO_PLANNING, "plan()", TOLD)
    loop = project.start(task="t")
    answer(project, 1, text)
    loop.communicate(timeout=30)
    assert answers(project) == [text]


def test_a_childs_notes_on_the_page_wait_for_the_human(project: Project) -> None:
    """Whose words they are, nobody knows: `before` keeps the yes."""
    notes = (
        "f = (SESSION / '_qa.md').open('a'); f.write('\\n## Notes\\nphase 1 built\\n'); f.close()"
    )
    project.script(TO_PLANNING, "plan()", f"{notes}; signal('continue')", BUILD)
    loop = project.start(task="t")
    answer(project, 1, "yes")
    wait_for(lambda: "Not taken yet" in (project.session / "_qa.md").read_text())
    answer(project, 1, "before")
    loop.communicate(timeout=30)
    assert not unbuilt(project) and answers(project) == ["yes", "yes"]


def test_a_refusal_that_is_added_to_while_a_child_runs(project: Project) -> None:
    """The child knows the old words only: the new ones wait until a human takes them."""
    child = "write('up'); time.sleep(1); plan('plan2.md')"
    project.script(TO_PLANNING, "plan()", child, TOLD)
    loop = project.start(task="t")
    answer(project, 1, "smaller")
    wait_for(lambda: (project.session / "up").exists())
    edit(project, "Answer: smaller", "Answer: smaller, and no yaml")
    wait_for(lambda: len(project.history("asked")) == 2)
    answer(project, 2, "yes")
    time.sleep(0.5)
    assert loop.poll() is None, "Q1 is open"
    answer(project, 1, "same")
    printed = loop.communicate(timeout=30)[0]
    assert "an old question on plan.md: smaller, and no yaml" in printed


def test_a_question_beside_a_reopened_approval(project: Project) -> None:
    """The child's signal is as valid as it was when the hook agreed to it."""
    child = "write('up'); time.sleep(1); " + ASK
    project.script(TO_PLANNING, "plan()", child, TOLD)
    loop = project.start(task="t")
    answer(project, 1, "yes")
    wait_for(lambda: (project.session / "up").exists())
    edit(project, "Answer: yes", "Answer: yes, but smaller")
    wait_for(lambda: len(project.history("asked")) == 2)
    time.sleep(0.5)
    end(loop)
    assert project.outcomes()[-1] == "waiting" and project.history("asked")[-1]["kind"] == "qa"


def test_an_editor_of_other_line_ends(project: Project) -> None:
    """The questions that it left alone are not answered."""
    project.script(ASK_TWO, DONE)
    loop = project.start(task="t")
    wait_for(lambda: project.history("asked") and (project.session / "_qa.md").exists())
    time.sleep(0.5)
    path = project.session / "_qa.md"
    told = path.read_text().replace("\nAnswer:", "\nAnswer: B", 1)
    path.write_bytes("\r\n".join(line.rstrip() for line in told.splitlines()).encode())
    wait_for(lambda: project.history("answer"))
    time.sleep(0.5)
    end(loop)
    assert answers(project) == ["B"]


def test_a_pasted_form_stays_whole(project: Project) -> None:
    """With headings in a fence and a label of its own."""
    project.script(ASK, DONE)
    loop = project.start(task="t")
    wait_for(lambda: project.history("asked") and (project.session / "_qa.md").exists())
    time.sleep(0.5)
    paste = "as there:\n\n## Q7: Format?\n```\n## Q8: of the file\nnever above 9\n```\nAnswer: CSV"
    edit(project, "\nAnswer:", f"\nAnswer: {paste}")
    loop.communicate(timeout=30)
    assert answers(project) == [paste]
