"""A session whose loop is killed again and again, with a human who answers its questions, and the
checks after every kill."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from bench import story
from bench.killing import marked
from tests.outer.stage import Stage

ANSWERS = {
    "Which hero?": "Ada, " + story.LONG,
    "Which end?": "A happy one.\nWith a cake.",
    "Which colour?": "Blue",
    "Approve the plan plan-1.md?": "Yes, but shorter",
    "Approve the plan plan-2.md?": "Yes.",
    "Plug it in": "done, it hums",
    "Is it good?": "B",
}
AGAIN = ("before", "A sad one.")
"""The human's answers to a question with a found text: take that text, or another answer."""
GONE_WITHIN = 5.0  # seconds: what a killed loop or an ended session may leave running


class Violation(AssertionError):
    """A promise that did not hold."""


def holds(promise: object, text: str) -> None:
    """Raise Violation with `text` unless `promise` is true."""
    if not promise:
        raise Violation(text)


@final
class Human(threading.Thread):
    """Answers every open question, whether a loop runs or not, as editors save: by rename, in
    place, in pieces."""

    def __init__(self, sessions: Path, seed: object) -> None:
        super().__init__(daemon=True)
        self.sessions = sessions
        self.dice = random.Random(f"human {seed}")  # noqa: S311 - a dice, no secret
        self.given: dict[str, str] = {}
        """Title -> the last answer that was saved whole."""
        self.saves = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.03):
            for path in self.sessions.glob("[!.]*/_qa.md"):
                self.look(path)

    def look(self, path: Path) -> None:
        """Answer the first open question, after some thought; sometimes change the answer."""
        found = self.open_question(path)
        if found is None or self.over.wait(self.dice.choice((0, 0, 0.05, 0.3))):
            return
        self.save(path, *found)
        if self.dice.random() < 0.3 and self.open_question(path):  # the gate is still shut
            self.save(path, *found, ", changed")

    def open_question(self, path: Path) -> tuple[int, str] | None:
        """(number, title) of the first one."""
        try:
            found = story.questions(path.read_text())
        except FileNotFoundError:
            return None
        return next(((n, t) for t, (n, answer) in found.items() if t and not answer), None)

    def save(self, path: Path, number: int, title: str, more: str = "") -> None:
        """One save of the whole page, with this question answered."""
        head, mark, tail = path.read_text().partition(f"\n## Q{number}: {title}\n")
        block, heading, rest = tail.partition("\n## Q")
        above, answer, old = block.partition("\nAnswer:")
        if not answer or (old.strip() and not more):
            return
        doubted = "\nNot taken yet:" in above
        text = (self.dice.choice(AGAIN) if doubted else ANSWERS[title]) + more
        if more and "approve" in title.lower():
            return
        new = f"{head}{mark}{above}\nAnswer: {text}\n{heading}{rest}".encode()
        self.write(path, new)
        self.given[title] = text
        self.saves += 1

    def write(self, path: Path, data: bytes) -> None:
        """Write in one of the ways of editors."""
        way = self.dice.choice(("rename", "rename", "in place", "pieces"))
        if way == "rename":
            temporary = path.with_name("_qa.md~")
            temporary.write_bytes(data)
            temporary.rename(path)
            return
        with path.open("wb", buffering=0) as file:
            half = len(data) // 2 if way == "pieces" else 0
            file.write(data[:half])
            time.sleep(0.02 if half else 0)
            file.write(data[half:])


@dataclass
class Telling:
    """One session of the story: its project, its human, and what was seen at earlier checks."""

    project: Stage
    seed: object
    kept: list[bytes] = field(default_factory=list[bytes])
    logs: dict[str, str] = field(default_factory=dict[str, str])
    human: Human = field(init=False)

    def __post_init__(self) -> None:
        self.project.configure(VERIFY="sleep 0.05; test -f good.txt", SETUP="echo x >> ../../ran")
        self.project.script(default=story.script())
        # On a busy machine the 20 ms between two halves of a save once took 300 ms.
        self.project.extra = {"FAKE_SETTLE": "1.0"}
        self.human = Human(self.project.folder / "sessions", self.seed)

    def text(self) -> str:
        """What the human says at a start: the task, or the note once a child has asked for it."""
        blocked = any(ln["outcome"] == "blocked" for ln in self.lines("iteration"))
        return story.NOTE if blocked else story.TASK

    def lines(self, event: str) -> list[Mapping[str, Any]]:
        """The history's whole lines of one event; none while there is no session."""
        try:
            return [ln for ln in map(json.loads, self.whole()) if ln["event"] == event]
        except ValueError as error:
            raise Violation(f"the history is damaged: {error}") from error

    def whole(self) -> list[bytes]:
        found = list((self.project.folder / "sessions").glob("[!.]*/_history.jsonl"))
        return found[0].read_bytes().split(b"\n")[:-1] if found else []

    def diary(self, key: str) -> list[Mapping[str, Any]]:
        """The entries with this key in the children's diary."""
        path = self.project.steps / "diary.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [ln for ln in map(json.loads, lines) if key in ln]

    def tear(self) -> None:
        """Make what a kill in the middle of a write leaves. Real kills rarely hit such a moment."""
        for path in (self.project.folder / "sessions").glob("[!.]*/_history.jsonl"):
            with path.open("ab") as file:
                file.write(b'{"t": "2026-01-01T00:00:00+00:00", "event": "iteration", "n": 99, "ph')

    def check(self) -> None:
        """Check what must hold whenever no loop runs."""
        now = self.whole()
        holds(now[: len(self.kept)] == self.kept, "the history lost or changed a line")
        self.kept = now
        for found in self.diary("violation"):
            raise Violation(f"child {found['n']}: {found['violation']}")
        iterations = self.lines("iteration")
        numbers = [ln["n"] for ln in iterations]
        holds(numbers == list(range(1, len(numbers) + 1)), f"iterations are numbered {numbers}")
        begun = [ln["n"] for ln in self.lines("begin")]
        begun = [n for n, before in zip(begun, [0, *begun], strict=False) if n != before]
        holds(begun in (numbers, [*numbers, len(numbers) + 1]), f"begun {begun}, ended {numbers}")
        self.check_questions()
        self.check_starts({ln["n"]: ln for ln in iterations})
        self.check_logs(iterations)

    def check_starts(self, recorded: Mapping[int, Mapping[str, Any]]) -> None:
        """Each child has one line in the history; the last one may get it later. Each signal was
        obeyed once."""
        starts = {ln["n"]: ln for ln in self.diary("start")}
        holds(len(starts) == len(self.diary("start")), "two children had the same number")
        late = [n for n in starts if n not in recorded and n != len(recorded) + 1]
        holds(not late, f"children without a line in the history: {late}")
        intended = {ln["n"] for ln in self.diary("signals")}
        landed = {ln["n"] for ln in self.diary("signalled")}
        obeyed = [n for n, ln in recorded.items() if ln["outcome"] in story.OBEYED]
        holds(not set(obeyed) - intended, f"obeyed without a signal: {set(obeyed) - intended}")
        lost = (landed & set(recorded)) - set(obeyed)
        holds(not lost, f"signals lost: {[(n, recorded[n]) for n in lost]}")
        steps = [starts[n]["start"] for n in obeyed]
        holds(steps == list(range(len(steps))), f"the steps that were obeyed: {steps}")

    def check_logs(self, iterations: list[Mapping[str, Any]]) -> None:
        """Every child's log exists, belongs to one line, and never changes."""
        names = [ln["log"] for ln in iterations]
        holds(len(set(names)) == len(names), "two iterations share a log")
        started = {ln["n"] for ln in self.diary("start")}
        for line in iterations:
            path = self.project.session / "_logs" / line["log"]
            if not path.exists():
                holds(line["n"] not in started, f"the log {path.name} is gone")
                continue
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            holds(self.logs.setdefault(path.name, digest) == digest, f"{path.name} was changed")

    def check_questions(self) -> None:
        """Every question has one number and one line, every answer one line; nothing that a child
        wrote is an answer."""
        lines = [json.loads(line) for line in self.whole()]
        titles = story.asked(lines)
        holds(len(set(titles.values())) == len(titles), f"asked twice: {titles}")
        holds(sorted(titles) == list(range(1, len(titles) + 1)), f"numbered {sorted(titles)}")
        last: dict[int, str] = {}
        for line in lines:
            if line["event"] == "answer":
                number, text = line["id"], line["text"]
                holds(last.get(number) != text, f"Q{number}: {text[:60]!r} is on record twice")
                holds(story.FORGED not in text, f"Q{number}: the child answered it")
                last[number] = text
            elif line["event"] == "found":
                last.pop(line["id"], None)

    def check_end(self) -> None:
        """Check what must hold when the session is done."""
        self.check()
        outcomes = [ln["outcome"] for ln in self.lines("iteration")]
        obeyed = [outcome for outcome in outcomes if outcome in story.OBEYED]
        holds(len(obeyed) == len(story.STEPS), f"{len(obeyed)} steps of {len(story.STEPS)}")
        self.check_answers()
        task = (self.project.session / "_task.md").read_text()
        holds(story.TASK in task and story.NOTE in task, "the human's words are not in _task.md")
        commits = [i for i, step in enumerate(story.STEPS) if step.does == "commit"]
        for name in ["good.txt", *(f"chapter-{i}.txt" for i in commits)]:
            holds((self.project.worktree / name).exists(), f"{name} is missing")
        until = time.monotonic() + GONE_WITHIN
        while alive := list(marked(self.project.folder)):
            holds(time.monotonic() < until, f"still alive: {alive}")
            time.sleep(0.1)

    def check_answers(self) -> None:
        """Every question was answered; what the human saved last is on record or on the page."""
        titles = story.asked(json.loads(line) for line in self.whole())
        record: dict[str, list[str]] = {}
        for line in self.lines("answer"):
            record.setdefault(titles[line["id"]], []).append(line["text"])
        missing = f"never answered: {set(ANSWERS) - set(record)}; asked: {titles}"
        holds(set(titles.values()) == set(record) == set(ANSWERS), missing)
        holds(any(story.FORGED in ln["text"] for ln in self.lines("found")), "nothing was forged")
        page = (self.project.session / "_qa.md").read_text()
        for title, text in self.human.given.items():
            saved = text == "before" or text in record[title]
            saved = saved or text.strip().splitlines()[-1] in page
            lost = f"the answer to {title!r} is lost: {text[:60]!r}; on record: {record[title]}"
            holds(saved, lost)
