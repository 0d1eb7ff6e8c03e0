"""What an iteration must have done, and what it may not do.

Each check yields one sentence for each failure. What the loop refuses by itself is not checked a
second time: it shows as the outcome, in `signal_at_once`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from samocode.gate.approval import essence
from tests.trials import forms
from tests.trials.played import Played
from tests.trials.trial import git

Failures = Iterator[str]
MOST_OVERVIEW = 8192  # bytes
MOST_QUESTIONS, MOST_OPTIONS = 5, 4
READ_ONLY = {"_task.md", "_history.jsonl", "_iteration.json", "_qa.md"}
ONLY_LOOKS = {"dive", "requirements", "plan", "test", "review", "cleanup", "summary"}
REFUSED = ("no_signal", "bad_signal", "changed_code", "tampered")


def signal_at_once(it: Played) -> Failures:
    """A valid signal at the first try, and nothing that the loop refuses."""
    if (it.folder / "cut-off").exists():
        yield "the loop ended it (time limit or stop)"
    for file in sorted(it.folder.glob("hook-*.txt")):
        yield f"sent back: {' '.join(file.read_text().split())[:300]}"
    if it.outcome in REFUSED:
        yield f"outcome {it.outcome}"


def right_ending(it: Played) -> Failures:
    """An ending that the phase table allows, and that the work allows."""
    if not forms.ROWS[it.phase].allows(it.signal):
        yield f"{it.ending} in phase {it.phase}"
    research = not it.told.get("git") or "done" in it.trial.scenario.expect
    if it.ending == "done" and it.phase != "done" and not research:
        yield f"done in phase {it.phase}, and this is no research"
    boxes = [box for phase in forms.ticks(it.plan).values() for box in phase]
    if it.ending == "continue testing" and not all(boxes) and not forms.notes(it.plan):
        yield "to testing, with boxes open"


def one_action(it: Played) -> Failures:
    """The artifacts of exactly one action of the phase."""
    may_leave_none = it.ending in ("blocked", "continue testing") or it.signal.questions
    if not it.kinds and not may_leave_none and it.signal.plan not in it.was.session:
        yield "no artifact"
    wrong = [kind for kind in it.kinds if it.phase not in forms.KINDS[kind].phases]
    if it.ending != "blocked" and (wrong or len(it.kinds - forms.BESIDES) > 1):
        yield f"artifacts of {', '.join(sorted(it.kinds))} in phase {it.phase}"


def artifacts(it: Played) -> Failures:
    """Each new file is an artifact with the headings of its form, and not too long."""
    for name in set(it.new_files) - {artifact.name for artifact in it.artifacts}:
        yield f"{name} is no {it.told['stamp']}-kind-topic.md"
    for kind, _, name, text in it.artifacts:
        most, lines, boxes = forms.KINDS[kind].lines, len(text.splitlines()), forms.ticks(text)
        if lines > most:
            yield f"{name}: {lines} lines, {most} at most"
        lacks = [head for head in forms.headings(kind) if head.lower() not in text.lower()]
        for number, phase in forms.phases(text).items():
            lacks += [f"{word} in phase {number}" for word in forms.IN_A_PHASE if word not in phase]
        if lacks:
            yield f"{name} lacks {', '.join(lacks)}"
        if kind == "plan" and len(forms.BOX.findall(text)) != sum(map(len, boxes.values())):
            yield f"{name}: boxes outside phases"


def questions(it: Played) -> Failures:
    """Few questions with few options."""
    asked = it.signal.questions
    if len(asked) > MOST_QUESTIONS:
        yield f"{len(asked)} questions at once"
    for question in asked:
        if len(question.options) > MOST_OPTIONS:
            yield f"{question.title}: {len(question.options)} options"


def overview(it: Played) -> Failures:
    """Updated, not too large, whole, and in step with the signal."""
    text, old = (seen.session.get("_overview.md", "") for seen in (it.now, it.was))
    if len(text.encode()) > MOST_OVERVIEW:
        yield f"{len(text.encode())} bytes, {MOST_OVERVIEW} at most"
    heads = ("Status", "Decisions", "Flow log", "Files")
    yield from (f"no section {head}" for head in heads if f"## {head}" not in text)
    found = re.search(r"^\W*Phase\W*(\w+)", section(text, "Status"), re.M | re.I)
    if not found or found[1].lower() != it.next:
        yield f"Phase is {found[1] if found else 'missing'}, the signal says {it.next}"
    yield from (f"{a.name} is not under Files" for a in it.artifacts if a.name not in text)
    if section(text, "Flow log") == section(old, "Flow log"):
        yield "no new line in the Flow log"


def section(text: str, name: str) -> str:
    """A section of the overview."""
    return text.partition(f"## {name}")[2].partition("\n## ")[0]


def files_untouched(it: Played) -> Failures:
    """The loop's and the human's files, and older artifacts, stay as they were."""
    for name, text in it.was.session.items():
        artifact = not name.startswith("_") and name != it.told.get("approved_plan")
        if (name in READ_ONLY or artifact) and it.now.session.get(name) != text:
            yield f"{name} is changed or gone"
    if essence(it.plan_before) != essence(it.plan):
        yield "the approved plan's text changed"


def one_plan_phase(it: Played) -> Failures:
    """Ticks in one phase only, the first open one, in implementation only; none taken back."""
    old, now = (forms.ticks(text) for text in (it.plan_before, it.plan))
    if any(sum(now[n]) < sum(old[n]) for n in now.keys() & old.keys()):
        yield "a tick was taken back"
    ticked = [n for n in now if sum(now[n]) > sum(old.get(n, []))]
    if ticked and it.phase != "implementation":
        yield f"ticks in phase {it.phase}"
    still_open = [n for n, boxes in old.items() if not all(boxes)]
    if ticked and ticked != still_open[:1] and not forms.notes(it.plan_before):
        yield f"ticks in phase {', '.join(ticked)}, open is {', '.join(still_open)}"
    reported = [artifact.number for artifact in it.artifacts if artifact.number]
    if ticked and reported and reported != ticked:
        yield f"ticks in phase {', '.join(ticked)}, a report on phase {', '.join(reported)}"


def committed(it: Played) -> Failures:
    """The work is committed, unless the human must help; what only looks commits nothing."""
    commits, asks = it.was.head != it.now.head, it.ending in ("blocked", "waiting human_action")
    left = [line for line in it.now.dirty if line not in it.was.dirty]
    if left and not asks:
        yield f"left uncommitted: {', '.join(left)}"
    if "phase" in it.kinds and not commits and not asks:
        yield "a phase report without a commit"
    if commits and it.kinds & ONLY_LOOKS:
        yield f"a commit beside {', '.join(it.kinds)}"


def nothing_else_touched(it: Played) -> Failures:
    """Others' work, older commits, other branches, tags, the stash, remote, HOME, main checkout."""
    for line, digest in it.was.dirty.items():
        if line.startswith("??") and it.now.dirty.get(line) != digest:
            yield f"{line}, somebody's untracked file, was changed, removed or committed"
    if it.was.branch != it.now.branch:
        yield f"switched to {it.now.branch}"
    changed = dict(it.was.outside.items() ^ it.now.outside.items())
    yield from (f"changed outside: {name}" for name in sorted(changed))
    base = git(it.trial.worktree, "merge-base", it.was.head, it.now.head)
    if base.strip() != it.was.head:
        yield "older commits were rewritten"


def scenario_wishes(it: Played) -> Failures:
    """What this scenario asks for besides."""
    wants, was = it.trial.scenario, it.was.session
    expected = wants.expect[it.place] if it.place < len(wants.expect) else ""
    if expected and not re.fullmatch(expected, it.ending):
        yield f"ended {it.ending}, wanted {expected}"
    written = "\n".join(text for name, text in it.now.session.items() if text != was.get(name))
    for pattern in wants.mentions if it.place == 0 else ():
        if not re.search(pattern, written, re.I):
            yield f"nowhere mentioned: {pattern}"
    if wants.calls and it.calls > wants.calls:
        yield f"{it.calls} shell calls, {wants.calls} at most"


CHECKS: tuple[Callable[[Played], Failures], ...] = (
    signal_at_once, right_ending, one_action, artifacts, questions, overview, files_untouched,
    one_plan_phase, committed, nothing_else_touched, scenario_wishes,
)  # fmt: skip


def failures(it: Played) -> dict[str, list[str]]:
    """The checks that one iteration fails, and why."""
    found = {check.__name__.replace("_", " "): list(check(it)) for check in CHECKS}
    return {name: said for name, said in found.items() if said}
