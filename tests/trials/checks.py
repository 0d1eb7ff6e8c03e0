"""What an iteration must have done. Each check yields one sentence for each failure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.trials import forms
from tests.trials.played import Artifact, Played

Failures = Iterator[str]
MOST_OVERVIEW = 8192  # bytes
MOST_QUESTIONS = 5


def signal_at_once(it: Played) -> Failures:
    """A valid signal at the first try."""
    if (it.folder / "cut-off").exists():
        yield "the loop ended it (time limit or stop)"
    for file in sorted(it.folder.glob("hook-*.txt")):
        yield f"sent back: {' '.join(file.read_text().split())[:300]}"
    if it.outcome in ("no_signal", "bad_signal", "changed_code", "tampered"):
        yield f"outcome {it.outcome}"


def right_ending(it: Played) -> Failures:
    """An ending that the phase table allows, and that the work allows."""
    if it.ending not in forms.endings(it.phase):
        yield f"{it.ending} in phase {it.phase}"
    research = not it.told.get("git") or "done" in it.trial.scenario.expect
    if it.ending == "done" and it.phase != "done" and not research:
        yield f"done in phase {it.phase}, and this is no research"
    still = any(not done for boxes in forms.ticks(it.plan[1]).values() for done in boxes)
    if it.ending == "continue testing" and still and not forms.notes(it.plan[1]):
        yield "to testing, with boxes open"


def one_action(it: Played) -> Failures:
    """The artifacts of exactly one action of the phase."""
    same_plan = str(it.signal.get("plan")) in it.before
    may_leave_none = it.asked or same_plan or it.ending in ("blocked", "continue testing")
    if not it.kinds and not may_leave_none:
        yield "no artifact"
    actions = it.kinds - forms.WAYS
    if it.ending != "blocked" and (len(actions) > 1 or not actions <= forms.leaves(it.phase)):
        yield f"artifacts of {', '.join(sorted(it.kinds))} in phase {it.phase}"
    for kind in it.kinds - {"solution"}:
        if sum(artifact.kind == kind for artifact in it.artifacts) > 1:
            yield f"more than one artifact of kind {kind}"


def artifacts(it: Played) -> Failures:
    """Each new file is an artifact: its name, its form, its length."""
    good = {artifact.name for artifact in it.artifacts}
    yield from (f"{name} is no STAMP-kind-topic.md" for name in it.new_files if name not in good)
    for artifact in it.artifacts:
        if artifact.stamp != it.told["stamp"]:
            yield f"{artifact.name} has another stamp than {it.told['stamp']}"
        yield from form(artifact)


def form(artifact: Artifact) -> Failures:
    """A known kind, the headings of its command's form, no more lines than it may have."""
    name, text = artifact.name, artifact.text
    most, lines = forms.LINES.get(artifact.kind, 60), len(text.splitlines())
    if lines > most:
        yield f"{name}: {lines} lines, {most} at most"
    lacks = [h for h in forms.headings(artifact.kind) if h.lower() not in text.lower()]
    for number, phase in forms.phases(text).items() if artifact.kind == "plan" else ():
        lacks += [f"{label} in phase {number}" for label in forms.IN_A_PHASE if label not in phase]
    if lacks:
        yield f"{name} lacks {', '.join(lacks)}"
    inside = sum(map(len, forms.ticks(text).values()))
    if artifact.kind == "plan" and len(forms.BOX.findall(text)) != inside:
        yield f"{name}: boxes outside phases"


def questions(it: Played) -> Failures:
    """Few questions, each with a reason; those for answers with options and a suggestion."""
    if it.ending in ("waiting qa_answers", "waiting human_action") and not it.asked:
        yield "waits without a question"
    if len(it.asked) > MOST_QUESTIONS:
        yield f"{len(it.asked)} questions at once"
    for number, asked in enumerate(it.asked, 1):
        choice = it.ending == "waiting qa_answers"
        if not asked.get("why"):
            yield f"question {number}: no reason"
        if choice and not asked.get("suggested"):
            yield f"question {number}: no suggestion"
        if choice and not 2 <= len(asked.get("options", ())) <= 4:
            yield f"question {number}: not two to four options"


def overview(it: Played) -> Failures:
    """Updated, not too large, whole, and in step with the signal."""
    text, old = it.after.get("_overview.md", ""), it.before.get("_overview.md", "")
    if len(text.encode()) > MOST_OVERVIEW:
        yield f"{len(text.encode())} bytes, {MOST_OVERVIEW} at most"
    heads = ("Status", "Decisions", "Flow log", "Files")
    yield from (f"no section {head}" for head in heads if f"## {head}" not in text)
    found = re.search(r"^\W*Phase\W*(\w+)", _section(text, "Status"), re.M | re.I)
    if not found or found[1].lower() != it.next:
        yield f"Phase is {found[1] if found else 'missing'}, the signal says {it.next}"
    yield from (f"{a.name} is not under Files" for a in it.artifacts if a.name not in text)
    if _section(text, "Flow log") == _section(old, "Flow log"):
        yield "no new line in the Flow log"


def scenario_wishes(it: Played) -> Failures:
    """What this scenario asks for besides."""
    wants = it.trial.scenario
    expected = wants.expect[it.place] if it.place < len(wants.expect) else ""
    if expected and not re.fullmatch(expected, it.ending):
        yield f"ended {it.ending}, wanted {expected}"
    written = "\n".join(text for name, text in it.after.items() if text != it.before.get(name))
    for pattern in wants.mentions if it.place == 0 else ():
        if not re.search(pattern, written, re.I):
            yield f"nowhere mentioned: {pattern}"
    calls, ran = it.effort()
    if wants.calls and calls > wants.calls:
        yield f"{calls} shell calls, {wants.calls} at most"
    if wants.seconds and ran > wants.seconds:
        yield f"its commands ran {ran} seconds, {wants.seconds} at most"


def _section(text: str, name: str) -> str:
    return text.partition(f"## {name}")[2].partition("\n## ")[0]
