"""A session of some thirty iterations, as the stand-in child plays it for the crash tests.

The child takes its place in the story from the record alone, as a real one does, so that a step
that was cut off is done again. It notes every start, and whatever it sees that must never be.
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
    """What one iteration does in `phase`, and the phase it goes on to (None: it stays)."""

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
    """How many steps are done: those whose signal the loop obeyed."""
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
    """The questions without an answer that was given after all that puts it in doubt."""
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
    """One child: its step, its diary in the steps folder, its hands."""

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
        """Hold a lock for life: whoever finds it held runs beside another child."""
        self.held = os.open(self.steps / "one-child", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.log(violation="two children at once")

    def look(self, step: Step) -> None:
        """Note whatever is not as it was promised to a child."""
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
                time.sleep(8)  # with its loop gone it would go on for long
        (self.session / "_overview.md").write_text(f"# At step {self.at}\n")

    def say(self, message: Mapping[str, object]) -> None:
        """Write the signal, as workflow.md says; the diary has it before and after."""
        temporary = self.session / "_signal.json.tmp"
        temporary.write_text(json.dumps(message))
        self.log(signals=self.at)
        temporary.rename(self.session / "_signal.json")
        self.log(signalled=self.at)

    def on_term(self, _number: int, _frame: FrameType | None) -> None:
        """`late` signals when it is told to end, as a polite CLI may."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(0.02)
        self.say(self.do_work(STEPS[self.at]))
        os._exit(143)

    def do_work(self, step: Step) -> Mapping[str, object]:
        """Go on."""
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
        """Ask, and answer for the human: that question, and one that has an answer."""
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
        """Told to end with its loop, it works on for a while."""
        for _ in range(10):
            time.sleep(0.02)
            if os.getppid() != self.loop:
                time.sleep(1.5)
                break
        return self.do_work(step)

    def do_detach(self, step: Step) -> Mapping[str, object]:
        """Leave a process behind that nothing but the loop ends."""
        deaf = "trap '' TERM; sleep 600 & wait; sleep 600"
        command = ["setsid", "sh", "-c", deaf if self.dice.random() < 0.3 else "sleep 600"]
        subprocess.Popen(command, stdin=subprocess.DEVNULL)
        return self.do_work(step)

    def do_block(self, _step: Step) -> Mapping[str, object]:
        """Stop until the human has said something."""
        return {"status": "blocked", "reason": "Who is the hero?"}

    def do_commit(self, step: Step, name: str = "") -> Mapping[str, object]:
        """Change the code. A lock that git left when it was cut off is nobody's: we are alone."""
        Path(name := name or f"chapter-{self.at}.txt").write_text("Once upon a time\n")
        git = subprocess.run(["git", "rev-parse", "--git-dir"], capture_output=True, text=True)
        Path(git.stdout.strip(), "index.lock").unlink(missing_ok=True)
        subprocess.run(["git", "add", name], check=True)
        if subprocess.run(["git", "diff", "--cached", "--quiet"]).returncode:
            subprocess.run(["git", "commit", "-qm", name], check=True)
        return self.do_work(step)

    def do_mend(self, step: Step) -> Mapping[str, object]:
        """Do what VERIFY missed."""
        if "VERIFY failed" not in json.dumps([self.iteration["previous"], self.iteration["notes"]]):
            self.log(violation="not told that VERIFY failed")
        return self.do_commit(step, "good.txt")

    def do_done(self, _step: Step) -> Mapping[str, object]:
        """The end, if VERIFY agrees."""
        return {"status": "done", "summary": "It is told."}


def script() -> str:
    """The step file that makes tests/outer/stub play this."""
    root = Path(__file__).resolve().parents[1]
    return (
        f"sys.path.insert(0, {str(root)!r})\nfrom bench import story\n"
        "story.Child(SESSION, ITERATION, STEPS).play()\n"
    )
