"""The prompts, held to the product: what they name exists, what they show is legal."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from samocode.decide import questions as form
from samocode.decide import signal as signals
from samocode.gate import approval
from samocode.pages import meaning
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
    examples,
    fences,
    flags_in,
    front,
    is_known,
    shown,
    signal_problems,
    spans,
    table,
    words,
)

PLAN = "STAMP-plan-topic.md"
ALL = words("""dive task create-plan do do2 dop dop2 cleanup multi-review
    session-start session-continue session-archive samocode""")


def context(folder: Path, phase: str) -> signals.SignalContext:
    """A session in `phase` as the table presupposes it: a plan, approved in time."""
    (folder / PLAN).write_text("# Plan")
    return signals.SignalContext(folder, phase, approved=phase in signals.NEEDS_APPROVAL)


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
        assert signals.judge(signal, context(tmp_path, row.phase)) == ()
    assert row.allows(signals.Signal("done")) == (row.phase in signals.MAY_END)
    assert ("plan_approval" in row.waits()) == (row.phase == "planning")
    assert row.allows(signals.Signal("blocked"))


def test_workflow_shows_every_status_and_wait() -> None:
    """One example of each, all of legal form."""
    found = shown(WORKFLOW)
    assert {signal.status for signal in found} == set(signals.NEEDED)
    assert {signal.waits_for for signal in found} - {None} == set(signals.WAITS)


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_example_of_a_signal_has_the_right_form(name: str) -> None:
    """One that the check refuses would be copied; one that has no JSON form would be, too."""
    text = EVERYTHING[name]
    assert [found for example in examples(text) if (found := signal_problems(example))] == []
    assert len(examples(text)) == text.count('{"status"')


def test_the_limits_of_a_question_are_the_checks() -> None:
    """The numbers of workflow.md; task.md asks fewer, with fewer options."""
    line = next(part for part in WORKFLOW.splitlines() if part.startswith("The loop numbers"))
    assert f"1 to {form.MOST} questions" in line
    assert f"{form.LINE} characters at most (`why` {form.WHY})" in line
    assert f"none or 2 to {form.MOST_OPTIONS}" in line
    assert "`suggested` (qa_answers: required)" in line


def test_task_shows_all_that_a_question_may_have() -> None:
    """Every key; a second question that an answer to the first makes pointless, by its title."""
    (example,) = [found for found in examples(COMMANDS["task"]) if "questions" in found]
    first, second = json.loads(example)["questions"]
    assert set(first) == {"title", "why", "options", "suggested", "because"}
    assert second["why"].startswith(f'Only if "{first["title"]}" is {first["options"][0]}')
    assert "Does not apply" in second["options"]


ASKED: dict[str, object] = {
    "title": "Which?",
    "why": "It decides.",
    "options": ["x", "y"],
    "suggested": "A",
}
WRONG_SIGNALS: dict[str, object] = {
    "no object": ["continue"],
    "no status": {},
    "unknown status": {"status": "ready"},
    "a wait as status": {"status": "human_action", "for": "human_action", "questions": []},
    "unknown key": {"status": "done", "summary": "all", "sumary": "all"},
    "unknown phase": {"status": "continue", "phase": "review"},
    "a number": {"status": "blocked", "reason": 3},
    "nothing asked": {"status": "waiting", "for": "qa_answers"},
    "no question": {"status": "waiting", "for": "human_action", "questions": []},
    "nine": {"status": "waiting", "for": "human_action", "questions": [ASKED] * 9},
}
WRONG_QUESTIONS: dict[str, dict[str, object]] = {
    "no suggestion": {key: value for key, value in ASKED.items() if key != "suggested"},
    "no reason": {key: value for key, value in ASKED.items() if key != "why"},
    "two lines": ASKED | {"title": "Which\none?"},
    "a long title": ASKED | {"title": "x" * 201},
    "a long reason": ASKED | {"why": "x" * 601},
    "one option": ASKED | {"options": ["x"]},
    "seven options": ASKED | {"options": list("tuvwxyz")},
    "options alike": ASKED | {"options": ["x", "X "]},
    "no such option": ASKED | {"suggested": "C"},
    "unknown key": ASKED | {"reason": "it fits"},
}


@pytest.mark.parametrize("name", [*WRONG_SIGNALS, *WRONG_QUESTIONS])
def test_the_form_check_refuses(name: str) -> None:
    """A check that finds nothing wrong would let any example pass."""
    asks = {"status": "waiting", "for": "qa_answers", "questions": [WRONG_QUESTIONS.get(name)]}
    assert signal_problems(json.dumps(WRONG_SIGNALS.get(name, asks)))
    assert signal_problems(json.dumps(asks | {"questions": [ASKED] * 8})) == ()


@pytest.mark.parametrize("name", PHASE_WORK)
def test_a_commands_signals_are_legal_in_its_phases(name: str, tmp_path: Path) -> None:
    """Each passes the check and the table in a phase that reads the file (do2 stands in for do)."""
    reader = "do" if name == "do2" else name
    rows = [row for row in table() if reader in row.reads]
    assert shown(COMMANDS[name])
    for signal in shown(COMMANDS[name]):
        able = [row for row in rows if row.allows(signal)]
        assert able
        assert any(not signals.judge(signal, context(tmp_path, row.phase)) for row in able)


@pytest.mark.parametrize("name", COMMANDS)
def test_frontmatter(name: str) -> None:
    """The description says when, in one line. A list of allowed tools is not there: it grants them
    unasked, and readers took it for a ban of all others, such as the project's own tests."""
    head = front(name)
    assert set(head) == {"description", "argument-hint"}
    assert head["description"].startswith("Use ")
    assert len(head["description"]) <= 120
    assert not re.search(r": | #", head["description"])  # plain YAML as it stands
    assert isinstance(json.loads(head["argument-hint"]), str)


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
    page = r"^(## Q\d|Why:|Suggested:|Answer:)"  # the loop's, printed from the signal
    assert [name for name, text in EVERYTHING.items() if re.search(page, text, re.M)] == []


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


READ_ONLY = words("_task.md _qa.md _iteration.json _history.jsonl _inbox/ _logs/")


def test_workflow_names_all_that_is_read_only() -> None:
    """The files that a wall keeps from a child (protocol version 2, One iteration)."""
    line = next(part for part in WORKFLOW.splitlines() if part.startswith("- Read only: "))
    assert set(re.findall(r"`([^`]+)`", line.partition(";")[0])) == READ_ONLY


def test_only_the_parent_writes_an_answer() -> None:
    """A child asks in its signal and reads the page; where answers are written it is not told."""
    assert [name for name in PHASE_WORK if "Answer:" in COMMANDS[name]] == []
    assert "Answer:" not in WORKFLOW
    for label in ("`Answer:`", "`Not taken yet:`", "`Answered before:`", "`same`", "`before`"):
        assert label in COMMANDS["samocode"]


def test_the_parent_knows_what_approves() -> None:
    """Every word that /samocode calls an approval is one, and "go ahead" is none."""
    line = next(part for part in COMMANDS["samocode"].splitlines() if "approved only by" in part)
    approvals = re.findall(r"[`\"](\w+)[`\"]", line.partition(";")[0])
    assert len(approvals) >= 4
    assert [word for word in approvals if not meaning.is_yes(word)] == []
    assert not meaning.is_yes("go ahead")


def test_the_parent_knows_every_exit_code() -> None:
    """One row or more for each; 0 is not the only ending."""
    codes = re.findall(r"^\| ([\d, ]+) \|", COMMANDS["samocode"], re.M)
    assert sorted(int(code) for code in ", ".join(codes).split(", ")) == sorted(ExitCode)
