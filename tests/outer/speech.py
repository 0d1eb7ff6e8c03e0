"""How a child and a human communicate with the loop. A new protocol changes only this file.

Version 2: a child asks in its signal, the loop prints `_qa.md`, a human writes after `Answer:`.

    python speech.py ARGUMENT...          main.py with a fast clock
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE = 60.0  # seconds; two busy loops may hold both cores

# The child.


def send(folder: Path, status: str, **more: object) -> None:
    """Write the signal: a temporary file, renamed."""
    temporary = folder / "_signal.json.tmp"
    temporary.write_text(json.dumps({"status": status, **more}))
    temporary.rename(folder / "_signal.json")


def ask(
    folder: Path,
    *titles: str,
    kind: str = "qa_answers",
    suggested: str = "A",
    before: Sequence[dict[str, object]] = (),
    **more: object,
) -> list[dict[str, object]]:
    """Ask the human these questions and those in `before`, and signal waiting."""
    question: dict[str, object] = {"why": "a test", "options": ["One", "Two"]}
    question |= {"suggested": suggested} if suggested else {}
    asked = [*before, *({"title": title, **question} for title in titles)]
    send(folder, "waiting", **{"for": kind, "questions": asked}, **more)
    return asked


def propose(folder: Path, plan: str) -> None:
    """Ask for the approval of a plan."""
    send(folder, "waiting", **{"for": "plan_approval", "plan": plan})


# The human.


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds; AssertionError when it never does."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)


def save(path: Path, text: str) -> None:
    """Save a file as an editor does."""
    temporary = path.with_name("human~")
    temporary.write_text(text)
    temporary.rename(path)


def parts(text: str, number: int) -> tuple[str, str, str]:
    """(all before the answer to a question, its answer, all from the next question on)."""
    head, mark, tail = text.partition(f"\n## Q{number}:")
    block, following, rest = tail.partition("\n## Q")
    above, label, answer = block.partition("\nAnswer:")
    return head + mark + above + label, answer, following + rest


def blank(folder: Path, number: int) -> bool:
    """Whether the page shows this question with nothing after `Answer:`."""
    page = folder / "_qa.md"
    before, answer, _ = parts(page.read_text() if page.exists() else "", number)
    return before.endswith("\nAnswer:") and not answer.strip()


def answer(folder: Path, number: int, text: str) -> None:
    """Wait for the question, and write the answer after `Answer:`, in place of what is there."""
    page = folder / "_qa.md"
    wait_for(lambda: number in asked(folder))
    wait_for(lambda: page.exists() and f"\n## Q{number}:" in page.read_text())
    before, _, rest = parts(page.read_text(), number)
    save(page, f"{before} {text}\n{rest}")


def approval(folder: Path) -> int:
    """Wait for an open question on a plan, and return its number."""
    wait_for(lambda: "approval" in open_questions(folder).values())
    return max(n for n, kind in open_questions(folder).items() if kind == "approval")


def approve(folder: Path) -> None:
    """Answer yes to the open question on a plan."""
    answer(folder, approval(folder), "yes")


# The record.


def history(folder: Path, event: str | None = None) -> list[Mapping[str, Any]]:
    """The whole lines of `_history.jsonl`, of one event or all."""
    path = folder / "_history.jsonl"
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [line for line in map(json.loads, whole) if event in (None, line["event"])]


def iterations(folder: Path) -> list[Mapping[str, Any]]:
    """One line for each iteration that ended: n, phase, outcome, session_id."""
    return history(folder, "iteration")


def asked(folder: Path) -> dict[int, str]:
    """Number -> kind (qa, action, approval) of each question on record."""
    own = list(history(folder, "asked"))
    own += [question for line in iterations(folder) for question in line.get("asked", ())]
    return {question["id"]: question["kind"] for question in own}


def open_questions(folder: Path) -> dict[int, str]:
    """Number -> kind of each question that waits for the human."""
    found = asked(folder)
    waits = set(found)
    for line in history(folder):
        if line["event"] == "answer":
            waits.discard(line["id"])
        elif line["event"] == "found":
            waits.add(line["id"])
    return {number: kind for number, kind in found.items() if number in waits}


def answers(folder: Path) -> list[tuple[int, str, str]]:
    """(number, text, by) of every answer on record, in order."""
    return [(line["id"], line["text"], line["by"]) for line in history(folder, "answer")]


def budget_given(argv: Sequence[str]) -> float | None:
    """What a child may cost in USD; None without a cap."""
    flag = "--max-budget-usd"
    return float(argv[argv.index(flag) + 1]) if flag in argv else None


def fast() -> Any:
    """Timeouts for tests. FAKE_ variables change them."""
    from samocode.settings.timeouts import Timeouts

    times = {"settle": 0.2, "init_grace": 30.0, "term_grace": 0.5, "result_grace": 1.0}
    times |= {"last_message": 10.0, "outside": 30.0}
    times |= {name: float(os.environ.get(f"FAKE_{name.upper()}", s)) for name, s in times.items()}
    return Timeouts(
        tick=0.02,
        poll=0.05,
        backoff_first=0.05,
        backoff_most=0.2,
        limit_slack=0.1,
        reach=0.05,
        **times,
    )


def fast_loop(argv: Sequence[str]) -> int:
    """Run main.py with the timeouts of `fast`."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from main import main
    from samocode.settings.flags import parse

    return main(parse(argv), fast(), env_file=None)


if __name__ == "__main__":
    sys.exit(fast_loop(sys.argv[1:]))
