"""The phases after approval: implementation, testing, quality, done."""

import re
import shlex
from pathlib import Path

from samocode.demo import notebook
from samocode.demo.child import TEST_COMMAND, Child, Ending
from samocode.demo.choices import CODE, TESTS, Choice
from samocode.demo.notebook import Entry
from samocode.demo.stage import Done

BASE = "main"


def implementation(child: Child) -> Ending:
    """Carry out one plan phase: test, code, check, commit."""
    plan = child.plan()
    text = child.stage.read(plan) if plan else ""
    phase = notebook.open_phase(text)
    if plan is None or phase is None:
        entry = Entry("testing", "found every phase done", "test")
        return Ending({"status": "continue", "phase": "testing"}, entry)
    number, name = phase
    child.stage.say(f"Plan phase {number}: {name}.")
    decided = child.choices()
    done = _build(child, decided[number - 1]) if number <= len(decided) else _note(child, name)
    after = notebook.ticked(text, number)
    child.stage.write(plan, after)
    report = f"# Phase {number}: {name}\n{done.proof()}\n"
    left = child.leave(f"phase-{number}", report)
    more = notebook.open_phase(after)
    following = "implementation" if more else "testing"
    entry = Entry(following, f"finished plan phase {number}: {name}", following, (left,))
    return Ending({"status": "continue", "phase": following}, entry)


def _build(child: Child, choice: Choice) -> Done:
    stage = child.stage
    tests = stage.cwd / TESTS
    last = tests.read_text().splitlines()[-1] + "\n"
    stage.edit(tests, last, f"{last}\n{choice.option.test}")
    stage.bash(TEST_COMMAND, "The new test must fail first")
    for old, new in choice.option.changes:
        stage.edit(stage.cwd / CODE, old, new)
    done = stage.must(TEST_COMMAND, "Now it must pass")
    commit = f"git add {CODE} {TESTS} && git commit -m {shlex.quote(choice.topic.commit)}"
    stage.must(commit, "Commit this phase")
    return done


def _note(child: Child, wish: str) -> Done:
    readme = child.stage.cwd / "README.md"
    text = readme.read_text()
    child.stage.edit(readme, text, f"{text}\n## Asked for at the approval\n\n- {wish}\n")
    done = child.stage.must(TEST_COMMAND, "Still green")
    commit = "git add README.md && git commit -m 'Say what was asked for at the approval'"
    child.stage.must(commit, "Commit this phase")
    return done


def testing(child: Child) -> Ending:
    """Run all tests and use the feature. Changes no code."""
    stage = child.stage
    stage.say("I test the whole, and use it by hand.")
    done = [stage.must(f"{TEST_COMMAND} -v", "All tests")]
    for choice in child.choices():
        trial = f"from links import slugify; print(repr({choice.topic.trial}))"
        done.append(stage.bash(f'python -c "{trial}"', choice.option.requirement))
    name = child.leave("test", "\n".join(["# Test report", *(one.proof() for one in done), ""]))
    entry = Entry("quality", f"tested: {done[0].last_line}", "review", (name,))
    return Ending({"status": "continue", "phase": "quality"}, entry)


def quality(child: Child) -> Ending:
    """Write a review from the output of commands."""
    stage = child.stage
    stage.say("I review the whole change, and see whether its tests would notice the old code.")
    stat = stage.must(f"git diff --stat {BASE}...HEAD", "What changed")
    added = stage.must(f"git diff {BASE}...HEAD", "Read it line by line")
    left = re.findall(r"^\+.*(?:print\(|TODO|FIXME).*$", added.output, flags=re.M)
    old = stage.bash(_with_old_code(child.session), "The new tests with the old code must fail")
    stage.bash(f"rm -rf {shlex.quote(str(child.session / '_check'))}", "Tidy up")
    status = stage.must("git status --short", "Nothing is left uncommitted")
    facts = [
        "# Review",
        "## What changed",
        *(f"    {line}" for line in stat.output.splitlines()),
        "## Findings",
        f"- debugging left in: {', '.join(left) or 'none'}",
        f"- the tests with the old code: exit {old.code}, `{old.last_line}`",
        f"- uncommitted: {status.output.strip() or 'nothing'}",
        "Verdict: good" if old.code and not left else "Verdict: look at the findings",
        "",
    ]
    name = child.leave("review", "\n".join(facts))
    entry = Entry("done", f"reviewed: {stat.last_line.strip()}", "summary", (name,))
    return Ending({"status": "continue", "phase": "done"}, entry)


def _with_old_code(session: Path) -> str:
    """Return a command that runs the new tests with the old code, in a scratch folder."""
    check = shlex.quote(str(session / "_check"))
    return (
        f"mkdir {check} && git archive HEAD | tar -x -C {check} && "
        f"git show {BASE}:{CODE} > {check}/{CODE} && cd {check} && {TEST_COMMAND}"
    )


def done(child: Child) -> Ending:
    """Write the summary."""
    reached = [one.option.requirement for one in child.choices()]
    reached += [f'README.md says, word for word: "{w}"' for w in notebook.wishes(child.questions())]
    log = child.stage.must(f"git log --oneline {BASE}..HEAD", "The commits")
    rows = [f"- R{n}: {what}" for n, what in enumerate(reached, 1)]
    commits = [f"- {line}" for line in log.output.splitlines()]
    name = child.leave("summary", "\n".join(["# Summary", *rows, "## Commits", *commits, ""]))
    said = "; ".join(reached)
    summary = f"slugify has a limit: {said}. {len(commits)} commits, all tests pass."
    entry = Entry("done", "wrote the summary", "nothing: the human merges", (name,))
    return Ending({"status": "done", "summary": summary}, entry)
