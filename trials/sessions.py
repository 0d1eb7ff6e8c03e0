"""/session-start, /session-continue and /session-archive as a person types them: what stands
before, what the person says, and what must stand afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from samocode.record.history import History
from trials import chat, drive, projects, states
from trials.scenario import Scenario
from trials.snapshot import WATCHED, around, code, git
from trials.trial import NAME, ROOT, Trial, enter, link_commands

OLD_TASK = "Give tally an option that leaves out words shorter than a given length."
TASK = """Sort tally's list by word, too: an option "--by word".
Don't touch the README's "examples"; in its text $HOME and `tally --top` stay as they are."""
SHOWN = 5  # changes that are named
THANKS = "Thank you, that is all."
NEW = "by-word"
OTHER = f"That is another matter, leave it. Call this one {NEW}."
AGREED = "I have a copy of .env, and I merge the branch tomorrow. Put it away."
KEPT = "Oh. Then leave all of it as it is."
BRIEF = """You are Claude Code, working in {project} (a git repository) for a person who typed:
{typed}
What that command expands to is {folder}/typed.md. Read it and do what it says, as it stands.

- Begin every shell command with: `. {folder}/enter.sh &&`
- The chat with the person is the command `{folder}/person 'YOUR WORDS'`: it prints their reply. Use
  it wherever you would write to them, also for what you have to tell at the end. End your turn when
  nothing is left to say.
- Do not read that script, nor anything in {trials}. You have no helpers and no web.
"""
Facts = Mapping[str, str]
"""One entry for each file, ref and HEAD around the reader."""


def nothing(_: Trial) -> None:
    """No session yet."""


def asked(trial: Trial) -> None:
    """A session waits for two answers."""
    states.make("asked", trial)


def torn(trial: Trial) -> None:
    """Phase 1 is done, and the overview lies: it says that all is."""
    states.make("damaged_overview", trial)


def merged(trial: Trial) -> None:
    """A session is done, and its branch is merged."""
    states.make("finished", trial)
    projects.git(trial, "merge", "--quiet", _branch(trial), cwd=trial.folder / "project")


def unmerged(trial: Trial) -> None:
    """A session is done, nobody took its work over, and somebody keeps an ignored file there."""
    states.make("finished", trial)
    exclude = trial.folder / "project" / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text(".env\n")
    (trial.worktree / ".env").write_text("PASSWORD=hunter2\n")


def same(before: Facts, now: Facts, _: Trial) -> Iterator[str]:
    """Nothing is changed anywhere."""
    changed = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    yield from (f"changed: {name}" for name in sorted(changed)[:SHOWN])
    if len(changed) > SHOWN:
        yield f"and {len(changed) - SHOWN} changes more"


def put_away(before: Facts, now: Facts, trial: Trial) -> Iterator[str]:
    """The folder is in _archive as it was, its worktree is gone, and nothing else is changed."""
    (folder,) = {name.split("/")[1] for name in before if re.match(r"file sessions/.*-work/", name)}
    place, tree = f"file sessions/{folder}/", f"worktrees/{folder}"
    wanted = {
        name.replace(place, f"file sessions/_archive/{folder}/"): text
        for name, text in before.items()
        if f" {tree}" not in name
    }
    yield from same(wanted, now, trial)
    if (trial.folder / tree).exists():
        yield "the worktree is still there"
    if tree in git(trial.folder / "project", "worktree", "list"):
        yield "git still knows the worktree"


def started(before: Facts, now: Facts, trial: Trial) -> Iterator[str]:
    """One more session, with its task on record and no iteration; nothing else is changed."""
    of_it = re.compile(rf"(file|head) (sessions|worktrees)/[^/]*-{NEW}(/|$)|ref .*-{NEW}$")
    yield from same(before, {name: now[name] for name in now if not of_it.match(name)}, trial)
    made = sorted({name.split()[0] for name in now if of_it.match(name)})
    if made != ["file", "head", "ref"]:
        yield f"of session, worktree and branch there is only: {', '.join(made) or 'nothing'}"
    for folder in (trial.folder / "sessions").glob(f"*-{NEW}"):
        state = History(folder / "_history.jsonl").load(repair=False).state
        told = [(kind, text.strip()) for _, kind, text in state.texts]
        if told != [("task", str(trial.facts["words"]).partition(" ")[2])]:
            yield f"the task is not verbatim: {told}"
        if state.iteration:
            yield "an iteration was played"


@dataclass(frozen=True)
class Case:
    """One command, typed once."""

    words: str
    lay: Callable[[Trial], None]
    """Makes what stands before."""
    ends: Callable[[Facts, Facts, Trial], Iterator[str]]
    """What is wrong with what stands afterwards."""
    replies: tuple[str, ...] = (THANKS,)
    """The person's, as long as session `work` is not put away; afterwards they thank."""
    warned: tuple[str, ...] = ()
    """Patterns of what must be said before anything is put away."""
    says: tuple[str, ...] = ()
    """Patterns of what must be said."""
    most: int = 0
    """Lines at most that are said in one turn; 0: any."""


QUESTIONS = ("Q1", "Q2", r"[Ss]uggest", rf"/samocode {NAME}")
LOST = (r"\.env", "Add the option --min")
CASES = {
    "session-start": Case(
        f"{NEW} {TASK}", nothing, started, says=("worktrees/", "[Bb]ranch", f"/samocode {NEW}")
    ),
    "session-start-taken": Case(f"{NAME} {TASK}", asked, started, (OTHER, THANKS)),
    "session-continue": Case(NAME, asked, same, says=QUESTIONS, most=20),
    "session-continue-torn": Case(
        NAME, torn, same, says=("implementation", "[Pp]hase 2", "overview", f"/samocode {NAME}"),
        most=20,
    ),
    "session-archive": Case(NAME, merged, put_away, says=("_archive", "[Bb]ranch")),
    "session-archive-unmerged": Case(
        NAME, unmerged, put_away, (AGREED, THANKS), warned=LOST, says=("_archive", "[Bb]ranch")
    ),
    "session-archive-kept": Case(f"{NAME}, archive it", unmerged, same, (KEPT, THANKS), LOST),
}  # fmt: skip


def make(name: str, folder: Path) -> str:
    """Project, settings, HOME with the commands, session, brief; the sentence for a reader."""
    case, trial = CASES[name], Trial(folder.resolve())
    wanted = Scenario(name, about="", task=OLD_TASK)
    drive.folders(trial, wanted, command=name, words=case.words)
    projects.make(wanted, trial)
    case.lay(trial)
    link_commands(trial.folder / "home")
    project, command = trial.folder / "project", "-".join(name.split("-")[:2])
    text = (ROOT / "commands" / f"{command}.md").read_text().replace("$ARGUMENTS", case.words)
    (trial.folder / "typed.md").write_text(text)
    (trial.folder / "enter.sh").write_text(enter(trial.environ(), project))
    chat.install(trial.folder, "alone")
    typed, place = f"/{command} {case.words}", ROOT / "trials"
    brief = BRIEF.format(folder=trial.folder, project=project, typed=typed, trials=place)
    (trial.folder / "brief.md").write_text(brief)
    (trial.folder / "before.json").write_text(json.dumps(_facts(trial)))
    return f"Read {trial.folder}/brief.md and do what it says."


def person(folder: Path, words: str) -> str:
    """The person's reply."""
    away = any((folder / "sessions" / "_archive").glob(f"*-{NAME}"))
    case = CASES[str(Trial(folder).facts["command"])]
    stands, replies = ("away", (THANKS,)) if away else ("there", case.replies)
    return chat.reply(folder, stands, words, replies)


def grade(trial: Trial) -> Iterator[str]:
    """One sentence per failure."""
    case, turns = CASES[trial.facts["command"]], chat.turns(trial.folder)
    before = json.loads((trial.folder / "before.json").read_text())
    yield from case.ends(before, _facts(trial), trial)
    for patterns, heard, when in (
        (case.warned, [turn["said"] for turn in turns if turn["stands"] == "there"], "in time"),
        (case.says, [turn["said"] for turn in turns], "at all"),
    ):
        said = "\n".join(heard)
        yield from (f"not said {when}: {word}" for word in patterns if not re.search(word, said))
    lines = max((len(turn["said"].strip().splitlines()) for turn in turns), default=0)
    if case.most and lines > case.most:
        yield f"{lines} lines said at once, {case.most} at most"


def _facts(trial: Trial) -> Facts:
    places = (*WATCHED, "sessions", "worktrees")
    found = {f"file {name}": text for name, text in around(trial.folder, places).items()}
    project = trial.folder / "project"
    for place in (project, *(trial.folder / "worktrees").iterdir()):
        facts = code(place)
        found[f"head {place.relative_to(trial.folder)}"] = f"{facts['branch']} {facts['head']}"
    for repository in (project, trial.folder / "origin.git"):
        for line in git(repository, "for-each-ref").splitlines():
            value, _, name = line.partition("\t")
            found[f"ref {repository.name} {name}"] = value
    return found


def _branch(trial: Trial) -> str:
    return git(trial.worktree, "rev-parse", "--abbrev-ref", "HEAD").strip()
