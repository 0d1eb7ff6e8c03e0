"""The prompts, held to the product: what they name exists, what they show is legal."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from samocode.decide import signal as signals
from samocode.gate import approval
from samocode.pages import questions
from samocode.record import files
from samocode.record.exits import ExitCode
from tests.prompts import (
    COMMANDS,
    EVERYTHING,
    OVERVIEW,
    PHASE_WORK,
    WORKFLOW,
    Row,
    body,
    cli_flags,
    fences,
    flags_in,
    front,
    is_known,
    shown,
    spans,
    table,
    words,
)

PLAN = "STAMP-plan-topic.md"
READ_ONLY = words("dive cleanup multi-review session-continue")
ALL = words("""dive task create-plan do do2 dop dop2 cleanup multi-review
    session-start session-continue session-archive samocode""")


def context(folder: Path, phase: str, signal: signals.Signal) -> signals.SignalContext:
    """A session in `phase` as the table presupposes it: a plan, approved in time, a question that
    it waits for."""
    (folder / PLAN).write_text("# Plan")
    approved, asked = phase in signals.NEEDS_APPROVAL, (1,) if signal.status == "waiting" else ()
    return signals.SignalContext(folder, phase, approved=approved, open_questions=asked)


def test_every_command_is_there() -> None:
    """The slash commands of seed.md, and /samocode for the parent."""
    assert set(COMMANDS) == ALL


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_a_prompt_names_exists(name: str) -> None:
    """A file, command, flag or field that nothing knows would send the child looking for it."""
    code = [span for span in spans(EVERYTHING[name]) if not span.startswith("{")]
    assert [span for span in code if not is_known(span)] == []


def test_the_phase_table_is_the_codes() -> None:
    """Seven phases in order, each with a file that exists or a section of workflow.md."""
    assert tuple(row.phase for row in table()) == signals.PHASES
    assert all(set(row.reads) <= set(PHASE_WORK) for row in table())
    assert [row.phase for row in table() if not row.reads] == ["testing", "done"]
    assert "\n### Testing\n" in WORKFLOW
    assert "\n### Summary\n" in WORKFLOW


@pytest.mark.parametrize("row", table(), ids=lambda row: row.phase)
def test_the_code_accepts_every_ending_of_the_table(row: Row, tmp_path: Path) -> None:
    """What the table calls legal the check takes; for done and plan_approval also vice versa."""
    endings = [signals.Signal("continue", phase=phase) for phase in row.continues()]
    endings += [signals.Signal("waiting", waits_for=wait, plan=PLAN) for wait in row.waits()]
    for signal in endings:
        assert signals.judge(signal, context(tmp_path, row.phase, signal)) == ()
    assert row.allows(signals.Signal("done")) == (row.phase in signals.MAY_END)
    assert ("plan_approval" in row.waits()) == (row.phase == "planning")
    assert row.allows(signals.Signal("blocked"))


def test_workflow_shows_every_status_and_wait() -> None:
    """One example of each, all of legal form."""
    examples = shown(WORKFLOW)
    assert {signal.status for signal in examples} == set(signals.TEXTS)
    assert {signal.waits_for for signal in examples} - {None} == set(signals.WAITS)


@pytest.mark.parametrize("name", PHASE_WORK)
def test_a_commands_signals_are_legal_in_its_phases(name: str, tmp_path: Path) -> None:
    """Each passes the check and the table in a phase that reads the file (do2 stands in for do)."""
    reader = "do" if name == "do2" else name
    rows = [row for row in table() if reader in row.reads]
    assert shown(COMMANDS[name])
    for signal in shown(COMMANDS[name]):
        able = [row for row in rows if row.allows(signal)]
        assert able
        assert any(not signals.judge(signal, context(tmp_path, row.phase, signal)) for row in able)


@pytest.mark.parametrize("name", COMMANDS)
def test_frontmatter(name: str) -> None:
    """The description says when, in one line; tools are granted only where no code is changed."""
    head = front(name)
    assert set(head) - {"allowed-tools"} == {"description", "argument-hint"}
    assert head["description"].startswith("Use ")
    assert len(head["description"]) <= 120
    assert not re.search(r": | #", head["description"])  # plain YAML as it stands
    assert isinstance(json.loads(head["argument-hint"]), str)
    assert ("allowed-tools" in head) == (name in READ_ONLY)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_cli_substitutes_the_input_and_nothing_else(name: str) -> None:
    """One Input line; no positional argument, command or file that the CLI would put in."""
    assert COMMANDS[name].count("$ARGUMENTS") == 1
    assert COMMANDS[name].splitlines().count("Input: $ARGUMENTS") == 1
    assert not re.search(r"\$\d|!`|(?<!\w)@\w", COMMANDS[name])


@pytest.mark.parametrize("name", EVERYTHING)
def test_nothing_is_specific_to_a_machine_or_shouted(name: str) -> None:
    """No path of somebody's disk; a word in capitals is the sign of a missing mechanism."""
    text = EVERYTHING[name]
    assert not re.search(r"(?<![\w.])/(home|root|Users|work|tmp|opt|etc)\b|\bC:\\", text)
    assert not re.search(r"\b(MUST|NEVER|ALWAYS|CRITICAL|IMPORTANT|WARNING|STOP)\b", text)


def test_workflow_is_the_same_in_every_iteration() -> None:
    """It is the cached part of the prompt: nothing to fill in, no year, no line of the loop's."""
    assert not re.search(r"\$|\{\{|%s|\{\w*\}|\b20\d\d\b|Session folder:", WORKFLOW)


def test_sizes() -> None:
    """In words as `wc -w` counts, frontmatter included (prompts.md)."""
    assert len(WORKFLOW.split()) <= 1000
    sizes = {name: len(text.split()) for name, text in COMMANDS.items()}
    assert {name: size for name, size in sizes.items() if not 250 <= size <= 650} == {}


@pytest.mark.parametrize("name", PHASE_WORK)
def test_one_text_serves_both_uses(name: str) -> None:
    """Where the two differ stands in two sections; on its own there is no signal."""
    heads = re.findall(r"^## (In a session iteration|On its own)$", body(name), re.M)
    assert heads == ["In a session iteration", "On its own"]
    alone = body(name).partition("## On its own")[2]
    assert "./.samocode-notes/" in alone
    assert '{"status"' not in alone


def test_a_form_stands_in_one_file() -> None:
    """Every artifact's form has one home; a plan phase has two modes, hence two."""
    blocks = [block for text in EVERYTHING.values() for block in fences(text)]
    titles = [title for block in blocks for title in re.findall(r"^# .*", block, re.M)]
    assert len(titles) == len(set(titles)) + 1
    assert titles.count("# Phase N: NAME") == 2
    asking = [name for name, text in EVERYTHING.items() if re.search(r"^Suggested: ", text, re.M)]
    assert asking == ["task"]


LENGTHS = [("dive", 120), ("task", 80), ("create-plan", 250), ("do2", 30), ("do2", 80), ("do", 60),
    ("dop2", 30), ("dop2", 60), ("dop", 60), ("cleanup", 60), ("multi-review", 60)]  # fmt: skip


@pytest.mark.parametrize(("name", "limit"), LENGTHS)
def test_lengths_are_stated(name: str, limit: int) -> None:
    """An artifact without a length grows."""
    assert f"{limit} lines at most" in COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_shell_blocks_are_whole_and_use_real_flags(name: str) -> None:
    """Copied as they stand they parse, here-documents too, and main.py knows the flags."""
    blocks = [b for b in fences(COMMANDS[name]) if re.match(r"readlink|CLONE/|git ", b)]
    for block in blocks:
        run = subprocess.run(["bash", "-n"], input=block.encode(), capture_output=True, timeout=10)
        assert (run.returncode, run.stderr) == (0, b"")
        calls = [line for line in block.splitlines() if "main.py" in line]
        assert flags_in(" ".join(calls)) <= cli_flags()


def test_the_plan_has_boxes_only_inside_phases() -> None:
    """A stray box is work that no phase does."""
    plan = next(block for block in fences(COMMANDS["create-plan"]) if block.startswith("# Plan"))
    sections = re.split(r"^## ", plan, flags=re.M)
    assert [part.splitlines()[0] for part in sections if "- [" in part] == ["Phase 1: NAME"]


PLAN_HABITS: dict[str, Callable[[str], str]] = {
    "as it stands": lambda plan: plan,
    "windows": lambda plan: plan.replace("\n", "\r\n"),
    "bom": lambda plan: "\ufeff" + plan,
    "capital ticks": lambda plan: plan.replace("[x]", "[X]"),
    "spaces at line ends": lambda plan: plan.replace("\n", "  \n").rstrip() + "\n\n",
    "notes with headings": lambda plan: plan + "### Seen\n- [ ] is no box here\n",
    "a section after notes": lambda plan: plan,
}


@pytest.mark.parametrize("habit", PLAN_HABITS)
def test_ticks_and_notes_leave_the_approval_standing(habit: str, tmp_path: Path) -> None:
    """create-plan.md's form, as editors and models write it; any other word takes it back."""
    plan = next(block for block in fences(COMMANDS["create-plan"]) if block.startswith("# Plan"))
    if habit == "a section after notes":
        plan += "\n## Phase 2: MORE\n- [ ] step\n"
    worked = plan.replace("- [ ]", "- [x]", 1).replace("## Notes\n", "## Notes\nPhase 1: b.py\n")
    (tmp_path / "plan.md").write_bytes(PLAN_HABITS[habit](worked).encode())
    kept = approval.essence(files.read_text(tmp_path / "plan.md") or "")
    assert kept == approval.essence(plan)
    for old, new in (("- [ ] step", "- [ ] leap"), ("Covers: R1", "Covers: R2"), ("# P", "# p")):
        assert approval.essence(plan.replace(old, new)) != kept


def test_the_overview_is_named_as_the_loop_makes_it() -> None:
    """The close speaks of the sections of the skeleton."""
    close = WORKFLOW.partition("Update `_overview.md`")[2].partition("\n")[0]
    assert [word for word in OVERVIEW if word not in close] == []


HABITS: dict[str, Callable[[str], str]] = {
    "as it stands": lambda text: text,
    "windows": lambda text: text.replace("\n", "\r\n"),
    "bom": lambda text: "\ufeff" + text,
    "bold": lambda text: re.sub(r"^(\w+:)", r"**\1**", text.replace("Q1:", "**Q1:**"), flags=re.M),
    "lower case": lambda text: text.replace("Answer:", "answer:").replace("A", "a"),
    "no space": lambda text: text.replace(": ", ":").replace("Q1:", "Q1: "),
    "translated": lambda text: text.replace("Which login method", "Welches Verfahren"),
    "after an example": lambda text: f"```\n## Q9: example?\nAnswer: yes\n```\n{text}",
}


@pytest.mark.parametrize("habit", HABITS)
def test_the_question_form_is_the_parsers(habit: str, tmp_path: Path) -> None:
    """task.md's form, as models and editors write it: open, with a suggestion; then answered."""
    form = next(block for block in fences(COMMANDS["task"]) if block.startswith("## Q1"))
    (tmp_path / "_qa.md").write_bytes(HABITS[habit](form).encode())
    (question,) = questions.parse(files.read_text(tmp_path / "_qa.md") or "").questions
    assert (question.id, question.answer) == (1, None)
    assert str(question.suggested).lstrip("* ").lower().startswith("a, ")
    (again,) = questions.parse(question.text.rstrip() + " b, but httpOnly\n").questions
    assert again.answer == "b, but httpOnly"


@pytest.mark.parametrize("habit", HABITS)
def test_half_answered_is_half_open(habit: str) -> None:
    """Of two questions in task.md's form one is answered: the other is open, whatever the form."""
    form = next(block for block in fences(COMMANDS["task"]) if block.startswith("## Q1"))
    first, second = form.rstrip() + " B\n\n", form.replace("Q1", "Q2")
    text = HABITS[habit](first + second).removeprefix("\ufeff")
    found = [(question.id, question.answer) for question in questions.parse(text).questions]
    assert found == [(1, "B"), (2, None)]


def test_the_parent_knows_what_approves() -> None:
    """Every word that /samocode calls an approval is one, and "go ahead" is none."""
    line = next(part for part in COMMANDS["samocode"].splitlines() if "approved only by" in part)
    approvals = re.findall(r"[`\"](\w+)[`\"]", line.partition(";")[0])
    assert len(approvals) >= 4
    assert [word for word in approvals if not questions.approves(word)] == []
    assert not questions.approves("go ahead")


def test_the_parent_knows_every_exit_code() -> None:
    """One row or more for each; 0 is not the only ending."""
    codes = re.findall(r"^\| ([\d, ]+) \|", COMMANDS["samocode"], re.M)
    assert sorted(int(code) for code in ", ".join(codes).split(", ")) == sorted(ExitCode)
