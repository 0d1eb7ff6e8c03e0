"""What workflow.md and the command files ask of an artifact and of a plan."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.prompts import COMMANDS, fences, table


class Kind(NamedTuple):
    """A kind of artifact: the phases that leave it, its most lines, the command with its form."""

    phases: str
    lines: int = 60
    command: str = ""


KINDS = {
    "dive": Kind("investigation", 120, "dive"),
    "requirements": Kind("requirements", 80, "task"),
    "plan": Kind("planning", 250, "create-plan"),
    "phase": Kind("implementation", 60, "dop2"),  # its form is shorter than dop's
    "solution": Kind("implementation quality", 80),
    "comparison": Kind("implementation quality", 30),
    "do": Kind("implementation quality", 60, "do"),
    "test": Kind("testing"),
    "review": Kind("quality", 60, "multi-review"),
    "cleanup": Kind("quality", 60, "cleanup"),
    "summary": Kind("done"),
}
BESIDES = {"solution", "comparison"}  # left besides the report of the one action
IN_A_PHASE = ("Mode:", "Covers:", "Files:", "Interfaces:", "- [", "Verify:", "Done when:")
ROWS = {row.phase: row for row in table()}
BOX = re.compile(r"^\s*[-*] \[([ xX])\]", re.M)


def headings(kind: str) -> list[str]:
    """The headings of a kind's form, as its command file shows it; none for a kind without one."""
    blocks = fences(COMMANDS.get(KINDS[kind].command, ""))
    form = next((block for block in blocks if block.startswith("# ")), "")
    return [line.split(":")[0].rstrip(" N") for line in form.splitlines() if line.startswith("#")]


def phases(plan: str) -> dict[str, str]:
    """Number -> text of each phase of a plan."""
    parts = re.split(r"^## Phase (\d+)\b.*$", plan.partition("\n## Notes")[0], flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def ticks(plan: str) -> dict[str, list[bool]]:
    """Per phase of a plan its boxes, ticked or not."""
    return {n: [box != " " for box in BOX.findall(text)] for n, text in phases(plan).items()}


def notes(plan: str) -> str:
    """The Notes section of a plan."""
    return plan.partition("\n## Notes")[2].strip()
