"""The parent: a reader plays /samocode against the real loop with the demo's stand-in child, and
talks to a scripted person.

    trials/parent DIR              make it all, print the sentence for a fresh reader
    trials/parent grade DIR...     what the reader did: 1 when something failed
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from samocode import demo
from samocode.pages import questions
from samocode.record.history import History
from samocode.record.state import SessionState
from samocode.sessions import is_running
from trials import chat
from trials.grade import verdict
from trials.snapshot import code
from trials.trial import ROOT, enter, link_commands

DIVE = demo.DIVE
TASK = f"{demo.TASK} Don't touch the README's examples."
CHANGE = "Looks good to me, go ahead, but say in the README what the limit is."
ANSWER = "First one: B. For the other as you suggest."
WRITTEN = {1: ("B", "First one: B"), 2: ("A",)}
"""What may stand after `Answer:` once the person gave ANSWER; without the full stop."""
TALK = {
    "idle": ("How does it stand right now?", "All right."),
    "qa": ("Hm. Which one would you take for the first?", ANSWER),
    "plan 1": (CHANGE,),
    "plan 2": ("sounds good", "yes"),
    "done": ("Great, thank you. That is all.",),
}
"""What the person says, by where the session stands: first, second, ...; the last for ever."""
BRIEF = """You are Claude Code, working in {project} for a person who just typed:
/samocode dive into {dive}; task: {task}
What that command expands to is {folder}/typed.md. Read it and do what it says, as it stands, to the
end of the session.

- Begin every shell command with: `. {folder}/enter.sh &&`
- The chat with the person is the command `{folder}/person 'YOUR WORDS'`: it prints their reply.
  Use it wherever you would write to them (reports, questions). End your turn when all is finished.
- Do not read that script, nor anything in {trials}. Your shell tool can run commands in the
  background. You have no helpers and no web.
"""


def make(folder: Path) -> str:
    """Project, settings, HOME with the command linked, brief; the sentence for the reader."""
    folder.mkdir(parents=True)
    made = demo.prepare(folder, datetime.now().astimezone())
    project = made.folder.rename(folder / "project")
    (folder / ".demo").rmdir()
    link_commands(folder / "home")
    words = f"dive into {DIVE}; task: {TASK}"
    text = (ROOT / "commands" / "samocode.md").read_text().replace("$ARGUMENTS", words)
    (folder / "typed.md").write_text(text)
    environ = {
        "HOME": str(folder / "home"),
        "CLAUDE_CONFIG_DIR": str(folder / "home" / ".claude"),
        "PATH": f"{Path(sys.executable).parent}:{project}/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "CLAUDE_PATH": str(project / "bin" / "claude"),
        "CLAUDE_PERMISSION_MODE": "auto",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    forget = "unset $(env | grep -Eo '^(CLAUDE|ANTHROPIC|TELEGRAM|SAMOCODE)[A-Z_]*')\n"
    (folder / "enter.sh").write_text(forget + enter(environ, project))
    chat.install(folder, "parent")
    brief = BRIEF.format(
        folder=folder, project=project, dive=DIVE, task=TASK, trials=ROOT / "trials"
    )
    (folder / "brief.md").write_text(brief)
    (folder / "before.json").write_text(json.dumps(code(project / "repo")))
    return f"Read {folder}/brief.md and do what it says."


def person(folder: Path, words: str) -> str:
    """The person's reply; both go into chat.jsonl."""
    stands = _stands(folder)
    return chat.reply(folder, stands, words, TALK[stands])


def _stands(folder: Path) -> str:
    """Where the session stands, as a key of TALK."""
    found = _sessions(folder)
    state = _state(found[0]) if found else None
    if not found or state is None or (is_running(found[0]) and not state.open):
        return "idle"
    if state.done is not None:
        return "done"
    if not state.open:
        return "idle"
    if state.open[0].kind != "approval":
        return "qa"
    asked = [number for number, q in state.asked.items() if q.kind == "approval"]
    return f"plan {min(len(asked), 2)}"


def grade(folder: Path) -> Iterator[str]:
    """One sentence per failure."""
    found = _sessions(folder)
    if len(found) != 1:
        yield f"{len(found)} sessions"
        return
    state, talk = _state(found[0]), chat.turns(folder)
    if state.done is None:
        yield "the session is not done"
    told = [(kind, text.strip()) for _, kind, text in state.texts]
    if told != [("dive", DIVE), ("task", TASK)]:
        yield f"the task is not verbatim, or something was added: {told}"
    yield from _answers(History(found[0] / "_history.jsonl").load(repair=False), state, talk)
    yield from _shown(state, talk)
    repo = folder / "project" / "repo"
    before, now = json.loads((folder / "before.json").read_text()), code(repo)
    if any(before[key] != now[key] for key in ("head", "branch", "tracked", "untracked")):
        yield "the main checkout changed"
    tree = code(folder / "project" / "worktrees" / found[0].name)
    if tree["tracked"] or tree["untracked"]:
        yield "something lies uncommitted in the worktree"


def _answers(
    history: History, state: SessionState, talk: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """The record holds the person's words, and nothing before they were said."""
    approvals = [number for number, asked in state.asked.items() if asked.kind == "approval"]
    wanted = {**WRITTEN, **dict(zip(approvals, ((CHANGE.rstrip("."),), ("yes",)), strict=False))}
    said = {turn["reply"]: turn["time"] for turn in reversed(talk)}
    for line in map(json.loads, history.path.read_text().splitlines()):
        if line["event"] != "answer":
            continue
        text, number = " ".join(line["text"].split()), line["id"]
        if text.rstrip(".") not in wanted.get(number, ()):
            yield f"Q{number} was answered {text!r}, wanted {wanted.get(number)}"
        if line["by"] != "file":
            yield f"Q{number} was answered by {line['by']}"
        reply = {"yes": "yes", CHANGE: CHANGE}.get(text, ANSWER)
        if datetime.fromisoformat(line["t"]).timestamp() + 1 < said.get(reply, float("inf")):
            yield f"Q{number} was answered before the person had said it"
    yield from (f"Q{number} has no answer" for number in wanted.keys() - state.answers.keys())


def _shown(state: SessionState, talk: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Every question was shown with its title and its suggestion, a plan with its name, before the
    person gave what answers it."""
    approvals = [number for number, asked in state.asked.items() if asked.kind == "approval"]
    replies = dict(zip(approvals, (CHANGE, "yes"), strict=False))
    for number, asked in state.asked.items():
        heard = [str(turn["said"]) for turn in _until(talk, replies.get(number, ANSWER))]
        said = " ".join(" ".join(heard).split())
        question = questions.as_asked(asked)
        parts = [asked.plan] if asked.plan else [question.title, question.suggested]
        for part in parts:
            if part and " ".join(part.split()) not in said:
                yield f"Q{number} was not shown as it stands: {part!r} is missing"


def _until(talk: Sequence[Mapping[str, Any]], reply: str) -> Iterator[Mapping[str, Any]]:
    """The turns up to the one that got this reply."""
    for turn in talk:
        yield turn
        if turn["reply"] == reply:
            return


def _sessions(folder: Path) -> list[Path]:
    return sorted(f.parent for f in (folder / "project" / "sessions").glob("*/_task.md"))


def _state(session: Path) -> SessionState:
    return History(session / "_history.jsonl").load(repair=False).state


def main(argv: list[str]) -> int:
    """See the top of this file."""
    if len(argv) == 3 and argv[0] == "person":
        print(person(Path(argv[1]), argv[2]))
        return 0
    if len(argv) == 1 and not Path(argv[0]).exists():
        print(make(Path(argv[0]).resolve()))
        return 0
    if len(argv) < 2 or argv[0] != "grade":
        print(__doc__)
        return 2
    failed = False
    for folder in map(Path, argv[1:]):
        said = list(grade(folder.resolve()))
        failed = failed or bool(said)
        print(verdict(f"{folder.name} /samocode", said))
    return 1 if failed else 0
