"""What one iteration must have done: its signal, its one action, its artifact, its overview.

Each check is a function over a played iteration; it yields one sentence per failure. The rules come
from workflow.md and the command files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from trials.reading import Artifact, Played, notes, phases, ticks
from trials.rules import (
    KINDS,
    LEGAL,
    LINES,
    MAX_OVERVIEW,
    MAX_QUESTIONS,
    NEAR,
    PHASE_SLOTS,
    PLACEHOLDER,
    SLOTS,
)

Failures = Iterator[str]


def signal_at_once(it: Played) -> Failures:
    """A valid signal at the first try."""
    if (it.folder / "ended").exists():
        yield "the loop ended it (time limit or stop)"
    yield from (f"sent back: {' '.join(text.split())[:300]}" for text in it.sent_back)
    if it.outcome in ("no_signal", "bad_signal", "changed_code", "tampered"):
        yield f"outcome {it.outcome}"


def legal_ending(it: Played) -> Failures:
    """An ending that the table allows in this phase."""
    more = {"waiting": f" {it.signal.get('for')}", "continue": f" {it.next}"}.get(it.status, "")
    if it.status + more not in LEGAL[it.phase]:
        yield f"{it.status + more} in phase {it.phase}"
    research = not it.told.get("git") or "done" in it.scenario.expect
    if it.status == "done" and it.phase != "done" and not research:
        yield f"done in phase {it.phase}, and this is no research"


def right_road(it: Played) -> Failures:
    """The phase that follows from what is done and what is open."""
    if it.status != "continue":
        return
    if it.phase == "implementation" and it.plan and "phase" in it.kinds:
        still = any(not done for boxes in ticks(it.plan[1]).values() for done in boxes)
        if still and it.next == "testing" and not notes(it.plan[1]):
            yield "to testing, with boxes open"
        if not still and it.next == "implementation":
            yield "stays in implementation, with no box open"
    if it.phase == "testing" and it.next == "done" and not it.had("review"):
        yield "from testing to done without a review"
    if it.phase == "quality" and it.next == "done":
        there = {kind for kind in ("review", "cleanup") if it.had(kind)} | it.kinds
        yield from (f"to done without a {k} report" for k in {"review", "cleanup"} - there)
    if it.phase == "quality" and it.heads[0] != it.heads[1] and it.next != "testing":
        yield f"code changed in quality, and on to {it.next}"


def one_action(it: Played) -> Failures:
    """The artifacts of exactly one action of the phase."""
    if it.status == "blocked":
        return
    if not it.kinds and not it.new_questions and not _may_leave_nothing(it):
        yield "no artifact"
    if it.kinds and frozenset(it.kinds) not in KINDS[it.phase]:
        yield f"artifacts of {', '.join(sorted(it.kinds))} in phase {it.phase}"
    for kind in it.kinds - {"solution"}:
        count = sum(kind_of(a) == kind for a in it.artifacts)
        if count > 1:
            yield f"{count} artifacts of kind {kind}"
    if it.new_questions and it.status == "continue":
        yield "asked and went on"


def names(it: Played) -> Failures:
    """STAMP-kind-topic.md, with the stamp of this iteration; nothing else new."""
    good = {a.name for a in it.artifacts}
    yield from (f"{name} has no STAMP-kind-topic.md" for name in it.new_files if name not in good)
    for found in it.artifacts:
        if found.stamp != it.told["stamp"]:
            yield f"{found.name} has another stamp than {it.told['stamp']}"
        if kind_of(found) not in LINES:
            yield f"{found.name}: no such kind"
        if found.kind == "phase":
            yield f"{found.name} does not say which phase"


def lengths(it: Played) -> Failures:
    """No longer than the command says."""
    for found in it.artifacts:
        yield from too_long(found)


def slots(it: Played) -> Failures:
    """The slots of the command's form are there: the command file was read and followed."""
    for found in it.artifacts:
        yield from misshapen(found)


def too_long(found: Artifact) -> Failures:
    """Longer than its command says."""
    limit, lines = LINES.get(kind_of(found), 60), len(found.text.splitlines())
    if lines > limit:
        yield f"{found.name}: {lines} lines, {limit} at most"


def misshapen(found: Artifact) -> Failures:
    """A slot of its command's form is not there."""
    kind = kind_of(found)
    slots = SLOTS["phase of dop2" if kind == "phase" and "Chosen:" in found.text else kind]
    missing = [slot for slot in slots if slot.lower() not in found.text.lower()]
    if missing:
        yield f"{found.name} lacks {', '.join(missing)}"
    if kind == "plan":
        yield from _plan(found)


def questions_form(it: Played) -> Failures:
    """New questions: five at most, each with a reason, options and a suggestion."""
    asked = it.new_questions
    if len(asked) > MAX_QUESTIONS:
        yield f"{len(asked)} questions at once"
    for question in asked:
        options = len(re.findall(r"^- [A-Z]\) ", question.text, re.M))
        if it.signal.get("for") == "qa_answers" and not (2 <= options <= 4):
            yield f"Q{question.id}: {options} options"
        if "Why:" not in question.text:
            yield f"Q{question.id}: no reason"
        if it.signal.get("for") == "qa_answers" and not question.suggested:
            yield f"Q{question.id}: no suggestion"


def overview(it: Played) -> Failures:
    """Updated, under 8 KB, whole, and in step with the signal."""
    text, old = it.after.get("_overview.md", ""), it.before.get("_overview.md", "")
    if text == old:
        yield "not updated"
        return
    if len(text.encode()) > MAX_OVERVIEW:
        yield f"{len(text.encode())} bytes"
    heads = ("## Status", "## Decisions", "## Flow log", "## Files")
    yield from (f"no section {head}" for head in heads if head not in text)
    found = re.search(r"^\W*Phase\W*(\w+)", _section(text, "Status"), re.M | re.I)
    if not found or found[1].lower() != it.next:
        yield f"Phase is {found[1] if found else 'missing'}, the signal says {it.next}"
    yield from (f"{a.name} is not under Files" for a in it.artifacts if a.name not in text)
    log, before = (_section(t, "Flow log") for t in (text, old))
    if log == before:
        yield "no new line in the Flow log"


def wanted(it: Played) -> Failures:
    """What this scenario asks for besides."""
    wants = it.scenario
    if not it.first:
        return
    if wants.expect and it.status not in wants.expect:
        yield f"ended {it.status}, wanted {' or '.join(wants.expect)}"
    elif wants.next and it.status == "continue" and it.next not in wants.next:
        yield f"on to {it.next}, wanted {' or '.join(wants.next)}"
    yield from (f"left no {kind}" for kind in wants.leaves if kind not in it.kinds)
    written = dict(it.words())
    for pattern in wants.mentions:
        name, mark, rest = pattern.partition(".md: ")
        texts = [written.get(f"{name}.md", "")] if mark else list(written.values())
        if not any(re.search(rest if mark else pattern, text, re.I) for text in texts):
            yield f"nowhere mentioned: {pattern}"
    if wants.deadline:
        yield from _in_time(it)


def _in_time(it: Played) -> Failures:
    if (late := _ended(it) - _deadline(it)) > 0:
        yield f"{late:.0f} s after the deadline"
    if it.heads[0] != it.heads[1]:
        yield "began work under five minutes before the deadline"


def _deadline(it: Played) -> float:
    return datetime.fromisoformat(it.told["deadline"]).timestamp()


def _ended(it: Played) -> float:
    """When the reader was through, epoch seconds."""
    return (it.folder / "after.json").stat().st_mtime


def kind_of(artifact: Artifact) -> str:
    """Its kind without a phase's number."""
    return re.sub(r"-\d+$", "", artifact.kind)


def _may_leave_nothing(it: Played) -> bool:
    """Nothing left to build; the same plan sent again; no time to begin anything."""
    if it.phase == "implementation" and it.status == "continue":
        return it.next == "testing" or _deadline(it) - _ended(it) < NEAR
    return it.phase == "planning" and str(it.signal.get("plan")) in it.before


def _plan(found: Artifact) -> Failures:
    if bad := PLACEHOLDER.search(found.text):
        yield f"{found.name}: {bad[0]}"
    for number, text in phases(found.text):
        missing = [slot for slot in PHASE_SLOTS if slot not in text]
        if missing:
            yield f"{found.name}: phase {number} lacks {', '.join(missing)}"
    boxes = len(re.findall(r"^\s*[-*] \[[ xX]\]", found.text, re.M))
    if boxes != sum(map(len, ticks(found.text).values())):
        yield f"{found.name}: boxes outside phases"


def _section(text: str, name: str) -> str:
    return text.partition(f"## {name}")[2].partition("\n## ")[0]
