"""The prompts match the code: what they name exists, and the signals they show are valid."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from samocode import __version__, sessions
from samocode.decide import questions as form
from samocode.decide import signal as signals
from samocode.gate import approval
from samocode.pages import meaning, names, printed
from samocode.record.exits import ExitCode
from samocode.record.state import Approval, SessionState, Worktree
from tests.prompts import (
    CLONE,
    COMMANDS,
    EVERYTHING,
    PHASE_WORK,
    WORKFLOW,
    Row,
    body,
    examples,
    fences,
    help_text,
    spans,
    table,
)

PLAN = "STAMP-plan-topic.md"
FILES = {
    names.TASK, names.OVERVIEW, names.QA, names.ITERATION, f"{names.LOGS}/", names.SIGNAL,
    f"{names.SIGNAL}.tmp", names.HISTORY, f"{names.INBOX}/", sessions.ARCHIVE, "tools/",
}  # fmt: skip
FIELDS = {*signals.TEXTS, *signals.NEEDED, *signals.WAITS, *signals.PHASES, "questions", *form.KEYS}
PRINTED = set(re.findall(r'"(\w+)":', (CLONE / "samocode/pages/printed.py").read_text()))
KINDS = "dive|requirements|plan|phase|do|solution|comparison|cleanup|review|test|summary"
ARTIFACT = rf"(STAMP|MM-DD-HH:MM|\*)-({KINDS})(-N)?(-topic|-[ab]|-\*)\.md|STAMP-kind-topic\.md"
WORDS = {
    "path:line", "path:lines", "Answer:", "A", "pass", "fix", ".", "_", "-", "'", "'\\''", "same",
    "before", "login-fix", ".samocode", ".venv", "/commands/samocode.md", "entered.quality", "",
    "- [ ]", "- [x]", "Mode: dop", "Mode: dop2", "Changed: ...", "BASE..HEAD", "run_in_background",
    "fix, then review again", "Verdict: fix, then review again", "reset --hard",
    'Only if "TITLE" is ANSWER', "Does not apply", "Scan: ...", "Assumed: ...",
    "Not taken yet:", "Answered before:", "./.samocode-notes/",
}  # fmt: skip
NAMES = FILES | FIELDS | PRINTED | WORDS | set(Worktree._fields) | {f"{n}.md" for n in EVERYTHING}
PROGRAMS = {
    "git": "status log diff show merge-base worktree restore archive -C", "gh": "pr", "date": "",
    "mv": "", "mktemp": "-d", "timeout": "",
}  # fmt: skip


def flags_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", text))


def is_known(span: str) -> bool:
    """Whether this piece of inline code exists in the product, in git, or in these prompts."""
    name = span.removeprefix("SESSION/").removeprefix("./.samocode-notes/")
    if name in NAMES or span in NAMES or re.fullmatch(ARTIFACT, name):
        return True
    if span.startswith("/"):
        return span.split()[0][1:] in COMMANDS
    if "main.py" in span or span.startswith("-"):
        return flags_in(span) <= flags_in(help_text()) | {"--no-verify", "--force"}
    program, *rest = span.split()
    return program in PROGRAMS and (not rest or rest[0] in PROGRAMS[program].split())


def session(folder: Path, phase: str) -> SessionState:
    """In `phase`, with a plan, which is approved if the phase needs that."""
    (folder / PLAN).write_text("# Plan")
    plan = Approval(PLAN, "d", "c") if phase in signals.NEEDS_APPROVAL else None
    return SessionState(phase=phase, approved=plan, worktree=Worktree(folder, "b", "main"))


def shown(text: str) -> list[signals.Signal]:
    """The signals in a text. Assert that each has a valid form."""
    parsed = [signals.parse(example.encode()) for example in examples(text)]
    assert [problems for _, problems in parsed if problems] == []
    return [signal for signal, _ in parsed if signal]


def line_of(text: str, start: str) -> str:
    (line,) = [line for line in text.splitlines() if start in line]
    return line


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_a_prompt_names_exists(name: str) -> None:
    """Each file, command, flag and field in a prompt exists."""
    code = [span for span in spans(EVERYTHING[name]) if not span.startswith("{")]
    assert [span for span in code if not is_known(span)] == []


@pytest.mark.parametrize("row", table(), ids=lambda row: row.phase)
def test_the_phase_table_agrees_with_the_code(row: Row, tmp_path: Path) -> None:
    """The check accepts every ending in it. Each phase has a command or a section."""
    assert tuple(row.phase for row in table()) == signals.PHASES
    assert set(row.reads) <= set(PHASE_WORK)
    section = {"testing": "Testing", "done": "Summary"}.get(row.phase)
    assert row.reads or f"\n### {section}\n" in WORKFLOW
    state = session(tmp_path, row.phase)
    endings = [signals.Signal("continue", phase=phase) for phase in row.named("continue")]
    endings += [signals.Signal("waiting", waits_for=w, plan=PLAN) for w in row.named("waiting")]
    for signal in endings:
        assert signals.judge(signal, tmp_path, state, None) == ()
    assert row.allows(signals.Signal("done")) == (row.phase in signals.MAY_END)
    assert ("plan_approval" in row.named("waiting")) == (row.phase == "planning")
    assert row.allows(signals.Signal("blocked"))


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_signal_that_is_shown_is_legal(name: str, tmp_path: Path) -> None:
    """In a phase that uses the prompt. workflow.md shows each status and each kind of wait."""
    text = EVERYTHING[name]
    found = shown(text)
    assert len(found) == text.count('{"status"') and (found or name not in PHASE_WORK)
    if name == "workflow":
        assert {signal.status for signal in found} == set(signals.NEEDED)
        assert {signal.waits_for for signal in found} - {None} == set(signals.WAITS)
    for signal in found if name in PHASE_WORK else ():
        reader = "do" if name == "do2" else name  # do2 stands in for do
        able = [row for row in table() if reader in row.reads and row.allows(signal)]
        assert any(
            not signals.judge(signal, tmp_path, session(tmp_path, row.phase), None) for row in able
        )


def test_the_limits_of_a_question_agree_with_the_check() -> None:
    line = line_of(WORKFLOW, "The loop numbers")
    assert f"1 to {form.MOST} questions" in line
    assert f"{form.LINE} characters at most (`why` {form.WHY})" in line
    assert f"none or 2 to {form.MOST_OPTIONS}" in line
    assert "`suggested` (qa_answers: required)" in line
    (example,) = [found for found in examples(COMMANDS["task"]) if "questions" in found]
    assert set(json.loads(example)["questions"][0]) == set(form.KEYS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_cli_can_load_a_command(name: str) -> None:
    """Simple YAML frontmatter, one Input line, and nothing else that the CLI substitutes. No
    allowed-tools, which would grant tools without asking."""
    lines = COMMANDS[name].split("---\n", 2)[1].splitlines()
    head = {key: value for key, _, value in (line.partition(": ") for line in lines)}
    assert set(head) == {"description", "argument-hint"}
    assert head["description"].startswith("Use ") and len(head["description"]) <= 120
    assert not re.search(r": | #", head["description"])
    assert isinstance(json.loads(head["argument-hint"]), str)
    assert COMMANDS[name].count("$ARGUMENTS") == 1
    assert COMMANDS[name].splitlines().count("Input: $ARGUMENTS") == 1
    assert not re.search(r"\$\d|!`|(?<!\w)@\w", COMMANDS[name])


@pytest.mark.parametrize("name", EVERYTHING)
def test_nothing_is_specific_to_a_machine_or_shouted(name: str) -> None:
    text = EVERYTHING[name]
    assert not re.search(r"(?<![\w.])/(home|root|Users|work|tmp|opt|etc)\b|\bC:\\", text)
    assert not re.search(r"\b(MUST|NEVER|ALWAYS|CRITICAL|IMPORTANT|WARNING|STOP)\b", text)
    assert len(text.split()) <= (1000 if name == "workflow" else 700)


@pytest.mark.parametrize("name", PHASE_WORK)
def test_one_text_serves_both_uses(name: str) -> None:
    """Used on its own, a command writes notes and no signal."""
    heads = re.findall(r"^## (In a session iteration|On its own)$", body(name), re.M)
    assert heads == ["In a session iteration", "On its own"]
    alone = body(name).partition("## On its own")[2]
    assert "./.samocode-notes/" in alone and '{"status"' not in alone
    assert "Answer:" not in COMMANDS[name]  # only the parent writes answers


def test_a_form_stands_in_one_file() -> None:
    """Except that of a plan phase, which has two modes."""
    blocks = [block for text in EVERYTHING.values() for block in fences(text)]
    titles = [title for block in blocks for title in re.findall(r"^# .*", block, re.M)]
    assert len(titles) == len(set(titles)) + 1 and titles.count("# Phase N: NAME") == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_shell_blocks_parse_and_use_real_flags(name: str) -> None:
    for block in fences(COMMANDS[name]):
        if re.match(r"ls |CLONE/|git ", block):
            run = subprocess.run(["bash", "-n"], input=block.encode(), capture_output=True)
            assert (run.returncode, run.stderr) == (0, b"")
            calls = [line for line in block.splitlines() if "main.py" in line]
            assert flags_in(" ".join(calls)) <= flags_in(help_text())


def test_a_plan_in_its_form_can_be_ticked() -> None:
    """Ticks and notes in a plan do not change what was approved. Another step does."""
    plan = next(block for block in fences(COMMANDS["create-plan"]) if block[:6] == "# Plan")
    worked = plan.replace("- [ ]", "- [x]", 1).replace("## Notes\n", "## Notes\nPhase 1: b.py\n")
    assert worked != plan and approval.essence(worked) == approval.essence(plan)
    assert approval.essence(plan.replace("- [ ] step", "- [ ] leap")) != approval.essence(plan)


def test_workflow_names_what_a_child_reads_and_writes() -> None:
    line = line_of(WORKFLOW, "- Read only: ")
    read_only = ["_task.md", "_qa.md", "_iteration.json", "_history.jsonl", "_inbox/", "_logs/"]
    assert set(re.findall(r"`([^`]+)`", line.partition(";")[0])) == set(read_only)
    close = WORKFLOW.partition("Update `_overview.md`")[2].partition("\n")[0]
    sections = re.findall(r"^(?:## )?([A-Z][a-z ]+)(?:$|:)", printed.SKELETON, re.M)
    assert [section for section in sections if section not in close] == []
    assert "Answer:" not in WORKFLOW


def test_the_parent_knows_answers_and_approvals() -> None:
    parent = COMMANDS["samocode"]
    for label in ("`Answer:`", "`Not taken yet:`", "`Answered before:`", "`same`", "`before`"):
        assert label in parent
    line = line_of(parent, "approved only by").partition(";")[0]
    approvals = re.findall(r"[`\"](\w+)[`\"]", line)
    assert len(approvals) >= 4 and all(map(meaning.is_yes, approvals))
    assert not meaning.is_yes("go ahead")


def test_the_parent_knows_every_exit_code() -> None:
    codes = re.findall(r"^\| ([\d, ]+) \|", COMMANDS["samocode"], re.M)
    assert sorted(int(code) for code in ", ".join(codes).split(", ")) == sorted(ExitCode)


def test_the_plugin_is_this_version() -> None:
    plugin = json.loads((CLONE / ".claude-plugin/plugin.json").read_text())
    market = json.loads((CLONE / ".claude-plugin/marketplace.json").read_text())
    assert (plugin["name"], plugin["version"]) == ("samocode", __version__)
    assert [(each["name"], each["source"]) for each in market["plugins"]] == [("samocode", "./")]
