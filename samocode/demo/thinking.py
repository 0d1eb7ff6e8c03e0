"""The phases before approval: investigation, requirements, planning. They change no code."""

import re

from samocode.demo import notebook
from samocode.demo.child import TEST_COMMAND, Child, Ending
from samocode.demo.choices import CODE, TESTS, TOPICS, Choice
from samocode.demo.notebook import Entry
from samocode.demo.stage import Done

APPROACH = "Approach: a parameter with a default, so that callers that pass none get the limit too."


def investigation(child: Child) -> Ending:
    """Read the project, run its tests, and write a dive document."""
    stage = child.stage
    stage.say("I look at what is there before anything is decided.")
    code, tests = (stage.read(stage.cwd / name) for name in (CODE, TESTS))
    done = stage.bash(TEST_COMMAND, "See how the tests stand")
    stage.say(f"The tests end with exit code {done.code}: {done.last_line}")
    name = child.leave("dive", _dive(code, tests, done))
    entry = Entry("requirements", "looked at slugify and its tests", "ask the human", (name,))
    return Ending({"status": "continue", "phase": "requirements"}, entry)


def _dive(code: str, tests: str, done: Done) -> str:
    lines = enumerate(code.splitlines(), 1)
    where = [
        f"- `{CODE}:{n}` `{line.strip()}`" for n, line in lines if re.search(r"def |=|return", line)
    ]
    names = re.findall(r"def (test_\w+)", tests)
    return "\n".join(
        [
            "# Dive: how slugify makes a link",
            "Short answer: it joins all words of a title; nothing limits the length.",
            "## How it works",
            *where,
            f"## Tests: {len(names)} in `{TESTS}`",
            *(f"- {name}" for name in names),
            "## Tried",
            done.proof(),
            "## Unknown",
            *(f"- {topic.title}" for topic in TOPICS),
            "",
        ]
    )


def requirements(child: Child) -> Ending:
    """Ask at the first visit, then turn the answers into requirements."""
    decided = child.choices()
    if not decided:
        return _ask(child)
    for choice in decided:
        child.stage.say(
            f"Q{choice.question.number}: {choice.option.letter}, {choice.option.requirement}."
        )
    name = child.leave("requirements", _requirements(decided))
    made = tuple(
        f"Q{one.question.number}: {one.option.letter}, {one.option.says}" for one in decided
    )
    entry = Entry("planning", "turned the answers into requirements", "plan", (name,), made)
    return Ending({"status": "continue", "phase": "planning"}, entry)


def _ask(child: Child) -> Ending:
    child.stage.say("Two things the code cannot tell me. I ask instead of guessing.")
    asked = [topic.question() for topic in TOPICS]
    entry = Entry("requirements", f"asked {len(asked)} questions", "wait for the answers")
    return Ending({"status": "waiting", "for": "qa_answers", "questions": asked}, entry)


def _requirements(decided: tuple[Choice, ...]) -> str:
    rows = [
        f"- R{n}: {one.option.requirement} (Q{one.question.number})"
        for n, one in enumerate(decided, 1)
    ]
    told = [
        f"- Q{one.question.number}: {one.question.answer} -> {one.option.letter}" for one in decided
    ]
    return "\n".join(["# Requirements: a limit", *rows, "## Answers", *told, ""])


def planning(child: Child) -> Ending:
    """Write a plan, or a new one after a change request. The loop asks for approval."""
    asked = child.questions()
    wanted = notebook.wishes(asked)
    if not wanted and notebook.newest(child.session, "plan"):
        wanted = child.now.notes
    if wanted:
        child.stage.say(f"You want the plan changed, so I plan again: {wanted[-1]}")
    else:
        child.stage.say("I plan small steps, each with a test of its own. No code changes yet.")
    name = child.leave("plan", _plan(child.choices(asked), wanted))
    did = f"changed the plan as asked: {wanted[-1]}" if wanted else "wrote the plan"
    entry = Entry("planning", did, "wait for approval", (name,))
    return Ending({"status": "waiting", "for": "plan_approval", "plan": name}, entry)


def _plan(decided: tuple[Choice, ...], wanted: tuple[str, ...]) -> str:
    names = [f"R{n}: {one.option.requirement}" for n, one in enumerate(decided, 1)]
    names += [
        f"R{n}: asked for by the human: {wish}" for n, wish in enumerate(wanted, len(names) + 1)
    ]
    parts = ["# Plan: a limit for slugify", "## Goal", f"No link is too long. {APPROACH}"]
    parts += [f"Changed: {wish}" for wish in wanted]
    parts += ["## Requirements", *(f"- {name}" for name in names)]
    for number, one in enumerate(decided, 1):
        parts += ["", *_phase(number, one.option.says, (CODE, TESTS), ("failing test", "code"))]
    for number, wish in enumerate(wanted, len(decided) + 1):
        parts += ["", *_phase(number, wish, ("README.md",), ("write it down",))]
    if wanted:
        parts.append("A script cannot do more with free words. A real Claude would plan the work.")
    return "\n".join([*parts, "", "## Notes", ""])


def _phase(number: int, name: str, files: tuple[str, ...], steps: tuple[str, ...]) -> list[str]:
    return [
        f"## Phase {number}: {name}",
        "Mode: dop",
        f"Covers: R{number}",
        f"Files: {', '.join(files)}",
        *(f"- [ ] {step}" for step in (*steps, "commit")),
        f"Verify: `{TEST_COMMAND}`",
    ]
