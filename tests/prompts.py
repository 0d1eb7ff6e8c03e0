"""workflow.md and the commands as the tests read them, and the words that the product knows."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

from samocode import sessions
from samocode.decide import signal as signals
from samocode.decide.questions import KEYS
from samocode.pages import names, overview
from samocode.record.state import Worktree
from samocode.settings import flags

CLONE = Path(__file__).parent.parent
WORKFLOW = (CLONE / "workflow.md").read_text()
COMMANDS = {path.stem: path.read_text() for path in sorted((CLONE / "commands").glob("*.md"))}
EVERYTHING = {"workflow": WORKFLOW, **COMMANDS}
ON_SESSIONS = {"samocode", "session-start", "session-continue", "session-archive"}
PHASE_WORK = sorted(set(COMMANDS) - ON_SESSIONS)


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# What the product names, from the modules that name it.
def cli_flags() -> frozenset[str]:
    """Every flag of main.py, as its help shows them."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        flags.parse(["--help"])
    return frozenset(flags_in(shown.getvalue()))


def iteration_fields() -> frozenset[str]:
    """The keys of `_iteration.json`, from the source of the one place that writes it."""
    source = (CLONE / "samocode" / "pages" / "iteration.py").read_text()
    return frozenset(re.findall(r'"(\w+)":', source))


def signal_problems(text: str) -> tuple[str, ...]:
    """What the real check says of a signal's form."""
    return signals.parse(text.encode())[1]


SESSION_FILES = {
    names.TASK, names.OVERVIEW, names.QA, names.ITERATION, f"{names.LOGS}/",
    names.SIGNAL, f"{names.SIGNAL}.tmp", names.HISTORY, f"{names.INBOX}/", sessions.ARCHIVE,
    "tools/",
}  # fmt: skip
HISTORY_FIELDS = set(Worktree._fields)
OVERVIEW = re.findall(r"^(?:## )?([A-Z][a-z ]+)(?:$|:)", overview.SKELETON, re.M)

KINDS = "dive|requirements|plan|phase|do|solution|comparison|cleanup|review|test|summary"
ARTIFACT = rf"(STAMP|MM-DD-HH:MM|\*)-({KINDS})(-N)?(-topic|-[ab]|-\*)\.md|STAMP-kind-topic\.md"
PLACES = words(".samocode .venv ./.samocode-notes/ /commands/samocode.md entered.quality")
FORMS = words("path:line path:lines Answer: A pass fix . _ - ' '\\'' login-fix same before") | {
    "- [ ]", "- [x]", "Mode: dop", "Mode: dop2", "Changed: ...", "BASE..HEAD", "run_in_background",
    "fix, then review again", "Verdict: fix, then review again", "reset --hard",
    'Only if "TITLE" is ANSWER', "Does not apply", "Scan: ...", "Assumed: ...",
    "Not taken yet:", "Answered before:",
}  # fmt: skip
GIT_FLAGS = {"--no-verify", "--force"}
PROGRAMS = {
    "git": words("status log diff show merge-base worktree restore archive -C"),
    "gh": words("pr"),
    "date": words(""),
    "mv": words(""),
    "mktemp": words("-d"),
    "timeout": words(""),
}


@dataclass(frozen=True)
class Row:
    """One line of workflow.md's phase table."""

    phase: str
    reads: tuple[str, ...]
    endings: str

    def continues(self) -> list[str]:
        """Where `continue` may lead; "stay" is the phase itself."""
        told = re.search(r"continue \(([^)]*)\)", self.endings)
        names = str(told[1]).split(", ") if told else []
        return [self.phase if name == "stay" else name for name in names]

    def waits(self) -> list[str]:
        """What `waiting` may be for."""
        told = re.search(r"waiting \(([^)]*)\)", self.endings)
        return str(told[1]).split(", ") if told else []

    def allows(self, signal: signals.Signal) -> bool:
        """Whether the table lists this signal among the phase's legal endings."""
        if signal.status == "continue":
            return (signal.phase or self.phase) in self.continues()
        if signal.status == "waiting":
            return signal.waits_for in self.waits()
        return signal.status in re.sub(r"\(.*?\)", "", self.endings)


def table() -> list[Row]:
    """The phase table, without its head."""
    lines = [line for line in WORKFLOW.splitlines() if line.startswith("| ")]
    cells = [line.strip("| ").split(" | ") for line in lines[1:]]
    return [Row(c[0], tuple(re.findall(r"`(\S+)\.md`", c[2])), c[3]) for c in cells]


def fences(text: str) -> list[str]:
    """The insides of all fenced blocks."""
    return re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)


def spans(text: str) -> list[str]:
    """All inline code, fenced blocks aside."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", plain)


def body(name: str) -> str:
    """A command's text without its frontmatter."""
    return COMMANDS[name].split("---\n", 2)[2]


def front(name: str) -> dict[str, str]:
    """A command's frontmatter, values as written."""
    lines = COMMANDS[name].split("---\n", 2)[1].splitlines()
    pairs = [line.partition(": ") for line in lines]
    return {key: value for key, _, value in pairs}


def examples(text: str) -> list[str]:
    """Every signal that a text shows, inline or in a block, where one may take several lines."""
    blocks = [part for block in fences(text) for part in re.split(r"^(?=\{)", block, flags=re.M)]
    return [part.strip() for part in spans(text) + blocks if part.startswith("{")]


def shown(text: str) -> list[signals.Signal]:
    """The signals that a text shows, read; each must have a legal form."""
    found = examples(text)
    assert [problems for example in found if (problems := signal_problems(example))] == []
    return [
        signal for signal, _ in (signals.parse(example.encode()) for example in found) if signal
    ]


def flags_in(text: str) -> set[str]:
    """Every option in a piece of shell."""
    return set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", text))


def is_known(span: str) -> bool:
    """Whether the product, git, or a form of these prompts knows this piece of inline code."""
    name = span.removeprefix("SESSION/").removeprefix("./.samocode-notes/")
    if name in _names() or span in FORMS or re.fullmatch(ARTIFACT, name):
        return True
    if span.startswith("/"):
        return span.split()[0][1:] in COMMANDS
    if "main.py" in span or span.startswith("-"):
        return flags_in(span) <= cli_flags() | GIT_FLAGS
    program, _, rest = span.partition(" ")
    return program in PROGRAMS and (not rest or rest.split()[0] in PROGRAMS[program])


def _names() -> set[str]:
    """Everything that is known by its plain name."""
    said = {*signals.TEXTS, *signals.NEEDED, *signals.WAITS, *signals.PHASES, "questions", *KEYS}
    read = {f"{name}.md" for name in [*COMMANDS, "workflow"]}
    return {*said, *read, *SESSION_FILES, *iteration_fields(), *HISTORY_FIELDS, *PLACES, ""}
