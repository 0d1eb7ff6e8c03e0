"""How a child and a human speak with the loop: the only file here that a new protocol rewrites.

Version 1: a child writes its questions into `_qa.md` and signals waiting.

    python speech.py loop ARGUMENT...     main.py with a fast clock
    python speech.py ask TITLE...         what a child with a shell does to ask
"""

from __future__ import annotations

import json
import os
import re
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
    forged: str = "",
    **more: object,
) -> None:
    """Ask the human and signal waiting. `forged` is an answer by the child itself."""
    path = folder / "_qa.md"
    text = path.read_text() if path.exists() else ""
    first = 1 + max(map(int, re.findall(r"^## Q(\d+):", text, re.M)), default=0)
    for number, title in enumerate(titles, first):
        suggestion = f"Suggested: {suggested}\n" if suggested else ""
        text += f"## Q{number}: {title}\nWhy: a test\n- A) One\n- B) Two\n{suggestion}"
        text += f"Answer: {forged}\n\n"
    path.write_text(text)
    send(folder, "waiting", **{"for": kind}, **more)


def ask_nothing(folder: Path, kind: str) -> None:
    """Signal waiting without any question."""
    send(folder, "waiting", **{"for": kind})


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


def blank(folder: Path, number: int) -> bool:
    """Whether the page shows this question with nothing after `Answer:`."""
    page = folder / "_qa.md"
    _, mark, tail = (page.read_text() if page.exists() else "").partition(f"## Q{number}:")
    _, label, after = tail.partition("\n## Q")[0].partition("\nAnswer:")
    return bool(mark and label and not after.strip())


def answer(folder: Path, number: int, text: str) -> None:
    """Write an answer after `Answer:`, in place of what stands there, once it was asked for."""
    page = folder / "_qa.md"
    wait_for(lambda: number in [line["id"] for line in history(folder, "asked")])
    wait_for(lambda: page.exists() and f"## Q{number}:" in page.read_text())
    head, mark, tail = page.read_text().partition(f"## Q{number}:")
    block, heading, rest = tail.partition("\n## Q")
    above, _, _ = block.partition("\nAnswer:")
    save(page, f"{head}{mark}{above}\nAnswer: {text}\n{heading}{rest}")


def strike(folder: Path, number: int) -> None:
    """Strike an answer out."""
    answer(folder, number, "")


def approval(folder: Path) -> int:
    """The number of the plan's question that is open; it is waited for."""
    wait_for(lambda: "approval" in open_questions(folder).values())
    return max(n for n, kind in open_questions(folder).items() if kind == "approval")


def approve(folder: Path) -> None:
    """Say yes to the plan that is asked about."""
    answer(folder, approval(folder), "yes")


def refuse(folder: Path, text: str) -> None:
    """Say anything else to it."""
    answer(folder, approval(folder), text)


# The record.


def history(folder: Path, event: str | None = None) -> list[Mapping[str, Any]]:
    """The whole lines of `_history.jsonl`, of one event or all."""
    path = folder / "_history.jsonl"
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [line for line in map(json.loads, whole) if event in (None, line["event"])]


def iterations(folder: Path) -> list[Mapping[str, Any]]:
    """One line for each iteration that ended: n, phase, outcome, session_id."""
    return history(folder, "iteration")


def outcomes(folder: Path) -> list[str]:
    """How each iteration ended."""
    return [line["outcome"] for line in iterations(folder)]


def open_questions(folder: Path) -> dict[int, str]:
    """Number -> kind (qa, action, approval) of each question that waits for the human."""
    kinds: dict[int, str] = {}
    found: dict[int, str] = {}
    for line in history(folder):
        if line["event"] == "asked":
            kinds[line["id"]] = found[line["id"]] = line["kind"]
        elif line["event"] == "answer":
            found.pop(line["id"], None)
        elif line["event"] == "reopened":
            found[line["id"]] = kinds[line["id"]]
    return found


def answers(folder: Path) -> list[tuple[int, str, str]]:
    """(number, text, by) of every answer on record, in order."""
    return [(line["id"], line["text"], line["by"]) for line in history(folder, "answer")]


def budget_given(argv: Sequence[str]) -> float | None:
    """What a child may cost in USD; None without a cap."""
    flag = "--max-budget-usd"
    return float(argv[argv.index(flag) + 1]) if flag in argv else None


def fast_loop(argv: Sequence[str]) -> int:
    """main.py with a clock that fits a test."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from main import main
    from samocode.settings.timeouts import Timeouts

    fast = Timeouts(
        tick=0.02, poll=0.05, settle=0.2, init_grace=30, term_grace=0.5,
        result_grace=1, backoff_first=0.05, backoff_most=0.2, limit_slack=0.1,
    )  # fmt: skip
    return main(argv, fast)


if __name__ == "__main__":
    word, *rest = sys.argv[1:]
    if word == "ask":
        ask(Path(os.environ["SAMOCODE_RUN"]), *rest)
    else:
        sys.exit(fast_loop(rest))
