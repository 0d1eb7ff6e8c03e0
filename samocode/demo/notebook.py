"""Reads and writes the files of a session folder."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

APPROVALS = {"a", "y", "yes", "ok", "okay", "approve", "approved", "lgtm", "a approve"}
SECTIONS = ("Status", "Decisions", "Flow log", "Files")


@dataclass(frozen=True)
class Iteration:
    """The content of `_iteration.json`."""

    phase: str
    stamp: str
    notes: tuple[str, ...]
    approved_plan: str | None


@dataclass(frozen=True)
class Question:
    """A question of `_qa.md`. `answer` is empty while it is open."""

    number: int
    title: str
    answer: str


@dataclass(frozen=True)
class Entry:
    """What one iteration adds to the notebook."""

    phase: str
    did: str
    next: str
    files: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()


def iteration(text: str) -> Iteration:
    found = json.loads(text)
    return Iteration(
        phase=found["phase"],
        stamp=found["stamp"],
        notes=tuple(found.get("notes") or ()),
        approved_plan=found.get("approved_plan"),
    )


def questions(text: str) -> tuple[Question, ...]:
    """Parse `_qa.md` as the loop prints it."""
    blocks = re.split(r"^(?=#{2,4} \**Q\d+\b)", text.replace("\r\n", "\n"), flags=re.M)
    heads = [(re.match(r"#{2,4} \**Q(\d+)\b[*:.) ]*(.*)", block), block) for block in blocks]
    return tuple(Question(int(h[1]), h[2].strip(), _answer(block)) for h, block in heads if h)


def _answer(block: str) -> str:
    parts = re.split(r"^\**Answer\s*:\**", block, maxsplit=1, flags=re.M | re.I)
    return parts[1].strip() if len(parts) == 2 else ""


def wishes(asked: Sequence[Question]) -> tuple[str, ...]:
    """Return the changes that the user asked for instead of approving a plan."""
    answers = [
        one.answer for one in asked if one.title.startswith("Approve the plan") and one.answer
    ]
    refused = [one for one in answers if re.sub(r"\W+", " ", one).strip().lower() not in APPROVALS]
    return tuple(
        re.sub(r"^\W*B\b\W*", "", " ".join(one.split()), flags=re.I) or one for one in refused
    )


def newest(folder: Path, kind: str) -> Path | None:
    """Return the latest artifact of a kind (dive, requirements, plan, ...), or None."""
    found = sorted(folder.glob(f"[0-9]*-{kind}-*.md"), key=lambda file: file.stat().st_mtime_ns)
    return found[-1] if found else None


def overview(text: str, now: Iteration, entry: Entry) -> str:
    """Add an entry to `_overview.md` and keep the rest."""
    preamble, *parts = re.split(r"^## ", text, flags=re.M)
    sections: dict[str, str] = dict.fromkeys(SECTIONS, "")
    for part in parts:
        name, _, told = str(part).partition("\n")
        sections[name.strip()] = told.strip()
    sections["Status"] = f"Phase: {entry.phase}\nLast action: {entry.did}\nNext: {entry.next}"
    log = f"{now.stamp} [{now.phase}] {entry.did}"
    for name, lines in (
        ("Decisions", entry.decisions),
        ("Flow log", (log,)),
        ("Files", entry.files),
    ):
        sections[name] = "\n".join([sections[name], *(f"- {line}" for line in lines)]).strip()
    body = "\n\n".join(f"## {name}\n{told}".strip() for name, told in sections.items())
    return f"{preamble.strip()}\n\n{body}\n".lstrip()


def open_phase(plan: str) -> tuple[int, str] | None:
    """Return number and name of the first plan phase with an open box, or None."""
    for number, name, body in _phases(plan):
        if "- [ ]" in body:
            return number, name
    return None


def ticked(plan: str, number: int) -> str:
    """Tick every box of one phase."""
    for found, _name, body in _phases(plan):
        if found == number:
            return plan.replace(body, body.replace("- [ ]", "- [x]"), 1)
    return plan


def _phases(plan: str) -> list[tuple[int, str, str]]:
    pattern = r"^## Phase (\d+): (.*)\n((?:(?!## ).*\n?)*)"
    return [(int(n), name, body) for n, name, body in re.findall(pattern, plan, flags=re.M)]
