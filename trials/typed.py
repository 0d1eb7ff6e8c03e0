"""A command of one phase as a person types it in Claude Code, outside any session: its project, and
its grades."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samocode.gate.approval import essence
from trials import checks, gates, played, projects
from trials.reading import ARTIFACT, Artifact, notes, ticks
from trials.scenario import Scenario
from trials.snapshot import around, code, git
from trials.trial import IDENTITY, ROOT, Trial, enter

NOTES = ".samocode-notes"
LAID = "11-20-09:00"  # stamp of what lies in the notes from before
BRIEF = """You are Claude Code, working in {project} (a git repository) for a person who typed:
{typed}
What that command expands to is {folder}/typed.md; the other commands lie in {folder}/commands.
Read it and do what it says, as it stands.

- Begin every shell command with: `. {folder}/enter.sh &&`
- There is no Samocode session here. Work only in {project}. You have no helpers and no web.
- Nobody answers before your turn ends. If you need the person, end it with the words you would say
  to them in the chat; else with the words you would say when done.
"""


@dataclass(frozen=True)
class Case:
    """What is typed after the command, what lies there, and what must lie there afterwards."""

    words: str
    leaves: tuple[str, ...]
    """The kinds of the new artifacts, with a phase's number, as often as they must be there."""
    commits: bool = False
    """The command may, and must, commit: on a branch that is not the default one."""
    laid: Mapping[str, str] = field(default_factory=dict[str, str])
    """Notes that are there already: kind -> file in texts/."""
    built: bool = False
    """The branch holds a change, with a fault that no test sees."""
    mentions: str = ""
    """A word that must stand in what it leaves."""


MIN = "leave out words shorter than a given length"
CASES = {
    "dive": Case("how tally comes from files to its list", ("dive",)),
    "task": Case(f"{MIN}; take your own suggestions, I cannot answer now", ("requirements",)),
    "create-plan": Case("", ("plan",), laid={"requirements": "requirements-min"}),
    "do": Case("--top below 1 shall be a usage error, exit code 2", ("do",), commits=True),
    "do2": Case(
        "tally shall be able to print CSV; go through, do not ask which one",
        ("comparison", "solution", "solution"), commits=True,
    ),
    "dop": Case("1", ("phase-1",), commits=True, laid={"plan": "plan-min"}),
    "dop2": Case("1", ("comparison", "solution", "solution"), laid={"plan": "plan-two-ways"}),
    "cleanup": Case("", ("cleanup",), built=True, mentions="--top"),
    "multi-review": Case("", ("review",), built=True, mentions="--top"),
}  # fmt: skip


def make(command: str, folder: Path) -> str:
    """The project on a branch `work`, HOME, brief; the sentence for the reader."""
    case, trial = CASES[command], Trial(folder.resolve())
    project = trial.folder / "project"
    (trial.folder / "home").mkdir(parents=True)
    (trial.folder / "home" / ".gitconfig").write_text(IDENTITY)
    facts = {"command": command, "python": sys.executable, "timeout": 0}
    (trial.folder / "trial.json").write_text(json.dumps(facts))
    projects.make(Scenario("alone", about="", task=""), trial)
    projects.git(trial, "switch", "--quiet", "--create", "work", cwd=project)
    if case.built:
        with contextlib.chdir(project):
            played.filter_added()
            played.option_added(wrong=True)
        projects.git(trial, "commit", "--quiet", "--all", "--message=Add --min", cwd=project)
    for kind, text in case.laid.items():
        (project / NOTES).mkdir(exist_ok=True)
        shutil.copy(played.TEXTS / f"{text}.md", project / NOTES / f"{LAID}-{kind}-min.md")
    _brief(command, case, trial)
    before = {"notes": _notes(project), **_around(trial)}
    (trial.folder / "before.json").write_text(json.dumps(before))
    return f"Read {trial.folder}/brief.md and do what it says."


def _brief(command: str, case: Case, trial: Trial) -> None:
    shutil.copytree(ROOT / "commands", trial.folder / "commands")
    text = (ROOT / "commands" / f"{command}.md").read_text().replace("$ARGUMENTS", case.words)
    (trial.folder / "typed.md").write_text(text)
    project = trial.folder / "project"
    (trial.folder / "enter.sh").write_text(enter(trial.environ(), project))
    typed = f"/{command} {case.words}".strip()
    (trial.folder / "brief.md").write_text(
        BRIEF.format(folder=trial.folder, project=project, typed=typed)
    )


def grade(trial: Trial) -> Iterator[str]:
    """One sentence per failure."""
    case, project = CASES[trial.facts["command"]], trial.folder / "project"
    before = json.loads((trial.folder / "before.json").read_text())
    new = {name: text for name, text in _notes(project).items() if name not in before["notes"]}
    found = [Artifact(n, m[1], m[2], t) for n, t in new.items() if (m := ARTIFACT.fullmatch(n))]
    named = {artifact.name for artifact in found}
    yield from (f"{name} has no MM-DD-HH:MM-kind-topic.md" for name in new.keys() - named)
    kinds = sorted(artifact.kind for artifact in found)
    if kinds != list(case.leaves):
        yield f"left {', '.join(kinds) or 'nothing'}, wanted {', '.join(case.leaves)}"
    for artifact in found:
        yield from checks.misshapen(artifact)
        yield from checks.too_long(artifact)
    if found and not any(case.mentions in artifact.text for artifact in found):
        yield f"nowhere mentioned: {case.mentions}"
    yield from _old_notes(case, before["notes"], _notes(project))
    yield from _commits(case, project, before["code"])
    yield from _place(trial, before)


def _old_notes(case: Case, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """What lay there stays as it was; of a plan that was carried out the first phase is ticked."""
    for name, text in before.items():
        after = now.get(name, "")
        if essence(after) != essence(text):
            yield f"{name} is changed or gone"
        ticked = [number for number, boxes in ticks(after).items() if any(boxes)]
        if ticked != (["1"] if "phase-1" in case.leaves else []):
            yield f"{name}: ticks in phases {', '.join(ticked) or 'none'}"
        if ticked == ["1"] and not all(ticks(after)["1"]) and not notes(after):
            yield f"{name}: a box of phase 1 is open, and Notes does not say why"


def _commits(case: Case, project: Path, was: Mapping[str, Any]) -> Iterator[str]:
    """A commit of work on top of what was there, where the command makes one."""
    old, now = str(was["head"]), code(project)
    if not case.commits and now["head"] != old:
        yield "committed"
    if case.commits and not git(project, "diff", "--stat", f"{old}..HEAD"):
        yield "did not commit"
    if git(project, "merge-base", old, "HEAD").strip() != old:
        yield "commits of old were rewritten"
    if NOTES in git(project, "log", "--name-only", "--format=", f"{old}..HEAD"):
        yield "the notes were committed"
    if now["tracked"]:
        yield f"tracked files left changed: {now['tracked']}"


def _place(trial: Trial, before: Mapping[str, Any]) -> Iterator[str]:
    """Nothing beside the work: no branch, tag, stash, push, hook, setting, file in HOME."""
    now = _around(trial)
    yield from gates.beside(before, now)
    stray = [name for name in now["code"]["untracked"] if not name.startswith(f"{NOTES}/")]
    if stray:
        yield f"left behind: {', '.join(stray)}"


def _around(trial: Trial) -> dict[str, Any]:
    """The code, its remote, and every file that is neither."""
    project = trial.folder / "project"
    beside = {
        name: digest
        for name, digest in around(trial.folder).items()
        if not name.startswith("project/") or name.startswith("project/.git/")
    }
    origin = git(trial.folder / "origin.git", "for-each-ref").splitlines()
    return {"code": code(project), "origin": origin, "around": beside}


def _notes(project: Path) -> dict[str, str]:
    """Every file in the notes, by its path there."""
    place = project / NOTES
    files = [file for file in sorted(place.rglob("*")) if file.is_file()]
    return {str(file.relative_to(place)): file.read_text(errors="replace") for file in files}
