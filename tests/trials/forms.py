"""What workflow.md and the command files ask for; read from them where that can be done."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARTIFACT = re.compile(r"(\d\d-\d\d-\d\d:\d\d)-([a-z]+)(?:-(\d+))?-[a-z0-9][a-z0-9.-]*\.md")
"""Stamp, kind, number of the plan phase."""
LINES = {"dive": 120, "requirements": 80, "plan": 250, "solution": 80, "comparison": 30}
"""Most lines of an artifact; 60 for every other kind."""
COMMAND = {
    "dive": "dive", "requirements": "task", "plan": "create-plan", "do": "do", "phase": "dop2",
    "cleanup": "cleanup", "review": "multi-review",
}  # fmt: skip
"""Kinds with a form, and the command file that shows it (dop2's is the shorter one of a phase)."""
WAYS = {"solution", "comparison"}  # what do2 and dop2 leave besides
SECTIONS = {"testing": "Testing", "done": "Summary"}
IN_A_PHASE = ("Mode:", "Covers:", "Files:", "Interfaces:", "- [", "Verify:", "Done when:")
BOX = re.compile(r"^\s*[-*] \[([ xX])\]", re.M)


def row(phase: str) -> list[str]:
    """The cells of a phase in workflow.md's table."""
    lines = (ROOT / "workflow.md").read_text().splitlines()
    return next(ln for ln in lines if ln.startswith(f"| {phase} |")).strip("| ").split(" | ")


def leaves(phase: str) -> set[str]:
    """The kinds of artifacts of which one action of a phase leaves one: what its command files, or
    its section in workflow.md, say."""
    files = re.findall(r"`([\w-]+\.md)`", row(phase)[2])
    texts = [(ROOT / "commands" / name).read_text() for name in files]
    heading = f"\n### {SECTIONS.get(phase, '-')}\n"
    section = (ROOT / "workflow.md").read_text().partition(heading)[2]
    texts.append(re.split(r"\n##", section)[0])
    kinds = re.findall(r"STAMP-([a-z]+)", "\n".join(texts))
    return set(kinds) - WAYS


def endings(phase: str) -> set[str]:
    """The legal endings of a phase: "continue planning", "waiting qa_answers", "done", ..."""
    cell = row(phase)[3]
    leads = re.search(r"continue \(([^)]*)\)", cell)
    waits = re.search(r"waiting \(([^)]*)\)", cell)
    to = [phase if name == "stay" else name for name in leads[1].split(", ")] if leads else []
    plain = re.findall(r"\bdone\b|\bblocked\b", re.sub(r"\(.*?\)", "", cell))
    found = {*plain, *(f"continue {name}" for name in to)}
    return found | {f"waiting {name}" for name in waits[1].split(", ")} if waits else found


def headings(kind: str) -> list[str]:
    """The headings of a kind's form, as its command file shows it; none for a kind without one."""
    if kind not in COMMAND:
        return []
    text = (ROOT / "commands" / f"{COMMAND[kind]}.md").read_text()
    form = re.findall(r"^```\w*\n(# .*?)^```", text, re.M | re.S)[0]
    return [line.split(":")[0].rstrip(" N") for line in form.splitlines() if line.startswith("#")]


def ticks(plan: str) -> dict[str, list[bool]]:
    """Per phase of a plan its boxes, ticked or not."""
    return {n: [box != " " for box in BOX.findall(text)] for n, text in phases(plan).items()}


def phases(plan: str) -> dict[str, str]:
    """Number -> text of each phase of a plan."""
    parts = re.split(r"^## Phase (\d+)\b.*$", plan.partition("\n## Notes")[0], flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def notes(plan: str) -> str:
    """The Notes section."""
    return plan.partition("\n## Notes")[2].strip()


def essence(plan: str) -> str:
    """What an approval is for: the text less ticks and Notes."""
    return BOX.sub("- [ ]", plan.partition("\n## Notes")[0]).strip()
