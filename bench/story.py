"""A session of some thirty iterations, as the stand-in child plays it for the crash tests.

The child finds its step in the story from the record alone, as a real one does, so that a step that
was cut off is done again. Its diary has every start, and every violation that it sees.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, final

OBEYED = frozenset({"continue", "waiting", "blocked", "verify_failed", "done"})
"""Outcomes that only a signal can lead to."""
TASK, NOTE = "Tell a story.", "The hero is called Ada."
LONG = "because " * 2500  # 20 KB: a write of several pages can be torn by a SIGKILL
FORGED = "Red, says the child"


@dataclass(frozen=True)
class Step:
    """What one iteration does in `phase`, and the next phase (None: the same)."""

    phase: str
    does: str = "work"
    next: str | None = None
    words: tuple[str, ...] = ()


STEPS = (
    Step("investigation"),
    Step("investigation", next="requirements"),
    Step("requirements", "ask", words=("Which hero?", "Which end?")),
    Step("requirements"),
    Step("requirements", "forge", words=("Which colour?",)),
    Step("requirements", next="planning"),
    Step("planning", "plan", words=("plan-1.md",)),
    Step("planning", "plan", words=("plan-2.md",)),
    Step("implementation", "commit"),
    Step("implementation", "deaf"),
    Step("implementation", "act", words=("Plug it in",)),
    Step("implementation", "detach"),
    Step("implementation", "block"),
    Step("implementation", "commit"),
    Step("implementation", "late", next="testing"),
    Step("testing", "deaf"),
    Step("testing", next="implementation"),
    Step("implementation", "commit", next="testing"),
    Step("testing", next="quality"),
    Step("quality", "ask", words=("Is it good?",)),
    Step("quality", next="testing"),
    Step("testing", "commit", next="quality"),
    Step("quality", next="done"),
    Step("done", "done"),  # VERIFY fails: good.txt is not there
    Step("implementation", "mend", next="done"),
    Step("done", "done"),
)
NOTED = next(i for i, step in enumerate(STEPS) if step.does == "block")


def place(session: Path) -> int:
    """The number of steps that are done, that is, whose signal the loop obeyed."""
    lines = map(json.loads, (session / "_history.jsonl").read_bytes().splitlines())
    return sum(ln["event"] == "iteration" and ln["outcome"] in OBEYED for ln in lines)


def asked(lines: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Number -> title of every question on record; a child's are in the line of its iteration."""
    found: dict[int, str] = {}
    for line in lines:
        alone = [line] if line["event"] == "asked" else []
        found |= {q["id"]: q["title"] for q in line.get("asked", alone)}
    return found


def still_open(lines: Iterable[Mapping[str, Any]]) -> set[int]:
    """The questions that have no answer, or none that is later than their last `found` line."""
    found: set[int] = set()
    for line in lines:
        found |= set(asked([line]))
        if line["event"] == "found":
            found.add(line["id"])
        if line["event"] == "answer":
            found.discard(line["id"])
    return found


def questions(text: str) -> dict[str, tuple[int, str]]:
    """Title -> (number, what follows `Answer:`), read in a simpler way than the loop's."""
    found: dict[str, tuple[int, str]] = {}
    for block in ("\n" + text).split("\n## Q")[1:]:
        number, _, rest = block.partition(": ")
        title, _, body = rest.partition("\n")
        answer = ("\n" + body).rpartition("\nAnswer:")[2].strip()
        found[title] = (int(number), answer)
    return found


@final
class Child:
    """One child. It plays its step and keeps a diary in the steps folder."""

    def __init__(self, session: Path, iteration: Mapping[str, Any], steps: Path) -> None:
        self.session, self.iteration, self.steps = session, iteration, steps
        self.at, self.loop = place(session), os.getppid()
        self.dice = random.Random(f"{steps}{iteration['iteration']}")  # noqa: S311 - a dice, no secret

    def log(self, **entry: object) -> None:
        """One line in the diary, in one write."""
        line = {"n": self.iteration["iteration"], "pid": os.getpid(), "t": time.time()} | entry
        fd = os.open(self.steps / "diary.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, json.dumps(line).encode() + b"\n")
        os.close(fd)

    def play(self) -> None:
        """Do the step: look, work, signal."""
        self.alone()
        self.log(start=self.at)
        if self.at >= len(STEPS):
            return self.log(violation="a child was started after the end")
        step = STEPS[self.at]
        self.look(step)
        if step.does in ("deaf", "late"):
            signal.signal(signal.SIGTERM, self.on_term if step.does == "late" else signal.SIG_IGN)
        self.work()
        self.say(getattr(self, f"do_{step.does}", self.do_work)(step))

    def alone(self) -> None:
        """Hold a lock until the end. A child that finds it held runs beside another one."""
        self.held = os.open(self.steps / "one-child", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.log(violation="two children at once")

    def look(self, step: Step) -> None:
        """Note every promise to a child that is not kept."""
        if self.iteration["phase"] != step.phase:
            self.log(violation=f"step {self.at} in phase {self.iteration['phase']}")
        lines = [json.loads(ln) for ln in (self.session / "_history.jsonl").open("rb")]
        if still := still_open(lines):
            self.log(violation=f"spawned while open: {still}")
        self.look_at_the_page(lines)
        told = " ".join(self.iteration["notes"])
        heard = max((i for i, ln in enumerate(lines) if ln.get("outcome") in OBEYED), default=-1)
        for line in lines[heard + 1 :]:
            if line["event"] == "answer" and f"Q{line['id']}" not in told and "plan" not in told:
                self.log(violation=f"not told of the answer to Q{line['id']}")
        if self.at > NOTED and NOTE not in (self.session / "_task.md").read_text():
            self.log(violation="the note is not in _task.md")

    def look_at_the_page(self, lines: list[dict[str, Any]]) -> None:
        """`_qa.md` shows everything on record, and nothing else."""
        path = self.session / "_qa.md"
        shown = questions(path.read_text()) if path.exists() else {}
        record = {ln["id"]: ln["text"].strip() for ln in lines if ln["event"] == "answer"}
        wanted = {title: (number, record.get(number)) for number, title in asked(lines).items()}
        if shown != wanted:
            self.log(violation=f"the page shows {shown}; on record: {wanted}"[:2000])

    def work(self) -> None:
        """Some 20-80 ms with several writes."""
        for part in range(3):
            (self.session / f"step-{self.at}-{part}.md").write_text(f"{self.iteration}\n")
            time.sleep(self.dice.uniform(0.007, 0.027))
            if os.getppid() != self.loop and STEPS[self.at].does != "deaf":
                time.sleep(8)  # it must not work that long without its loop
        (self.session / "_overview.md").write_text(f"# At step {self.at}\n")

    def say(self, message: Mapping[str, object]) -> None:
        """Write the signal, as workflow.md says; the diary has it before and after."""
        temporary = self.session / "_signal.json.tmp"
        temporary.write_text(json.dumps(message))
        self.log(signals=self.at)
        temporary.rename(self.session / "_signal.json")
        self.log(signalled=self.at)

    def on_term(self, _number: int, _frame: FrameType | None) -> None:
        """In step `late`, signal only after SIGTERM, as a CLI may."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(0.02)
        self.say(self.do_work(STEPS[self.at]))
        os._exit(143)

    def do_work(self, step: Step) -> Mapping[str, object]:
        """Signal `continue`."""
        return {"status": "continue"} | ({"phase": step.next} if step.next else {})

    def do_ask(self, step: Step) -> Mapping[str, object]:
        """Ask all of `words`; no earlier try can have put some of them on record."""
        lines = map(json.loads, (self.session / "_history.jsonl").open("rb"))
        if known := set(step.words) & set(asked(lines).values()):
            self.log(violation=f"asked before: {known}")
        more = {"options": ["One", "Two"], "suggested": "A"}
        whole = [{"title": title, "why": LONG[:600].strip(), **more} for title in step.words]
        kind = "human_action" if step.does == "act" else "qa_answers"
        return {"status": "waiting", "for": kind, "questions": whole}

    do_act = do_ask

    def do_forge(self, step: Step) -> Mapping[str, object]:
        """Ask, and forge answers to this question and to one that the human has answered."""
        path = self.session / "_qa.md"
        head, label, _ = path.read_text().rpartition("\nAnswer:")
        forged = f"{head}{label} {FORGED}\n\n## Q9: {step.words[0]}\n\nAnswer: {FORGED}\n"
        temporary = path.with_name("_qa.md.forged")
        temporary.write_text(forged)
        temporary.rename(path)
        time.sleep(self.dice.choice((0, 0.05)))
        return self.do_ask(step)

    def do_plan(self, step: Step) -> Mapping[str, object]:
        """Write the plan and ask for its approval."""
        (self.session / step.words[0]).write_text("# Plan\n\n## Phase 1\n- [ ] tell it\n")
        return {"status": "waiting", "for": "plan_approval", "plan": step.words[0]}

    def do_deaf(self, step: Step) -> Mapping[str, object]:
        """Work on for a while after the loop was killed."""
        for _ in range(10):
            time.sleep(0.02)
            if os.getppid() != self.loop:
                time.sleep(1.5)
                break
        return self.do_work(step)

    def do_detach(self, step: Step) -> Mapping[str, object]:
        """Leave a detached process, which only the loop can end."""
        deaf = "trap '' TERM; sleep 600 & wait; sleep 600"
        command = ["setsid", "sh", "-c", deaf if self.dice.random() < 0.3 else "sleep 600"]
        subprocess.Popen(command, stdin=subprocess.DEVNULL)
        return self.do_work(step)

    def do_block(self, _step: Step) -> Mapping[str, object]:
        """Stop until the human has said something."""
        return {"status": "blocked", "reason": "Who is the hero?"}

    def do_commit(self, step: Step, name: str = "") -> Mapping[str, object]:
        """Commit a change. First remove a lock that a killed git left: no other git runs here."""
        Path(name := name or f"chapter-{self.at}.txt").write_text("Once upon a time\n")
        git = subprocess.run(["git", "rev-parse", "--git-dir"], capture_output=True, text=True)
        Path(git.stdout.strip(), "index.lock").unlink(missing_ok=True)
        subprocess.run(["git", "add", name], check=True)
        if subprocess.run(["git", "diff", "--cached", "--quiet"]).returncode:
            subprocess.run(["git", "commit", "-qm", name], check=True)
        return self.do_work(step)

    def do_mend(self, step: Step) -> Mapping[str, object]:
        """Commit the file that VERIFY wants."""
        if "VERIFY failed" not in json.dumps([self.iteration["previous"], self.iteration["notes"]]):
            self.log(violation="not told that VERIFY failed")
        return self.do_commit(step, "good.txt")

    def do_done(self, _step: Step) -> Mapping[str, object]:
        """Signal `done`, which counts if VERIFY passes."""
        return {"status": "done", "summary": "It is told."}


def script() -> str:
    """The step file that makes tests/outer/stub play this."""
    root = Path(__file__).resolve().parents[1]
    return (
        f"sys.path.insert(0, {str(root)!r})\nfrom bench import story\n"
        "story.Child(SESSION, ITERATION, STEPS).play()\n"
    )
