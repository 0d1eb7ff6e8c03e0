"""Print what the first request of an iteration costs, part by part, in characters / 4.

The real CLI runs one iteration of a session against a scripted API on loopback. No model is asked.
A character is a fair measure to compare parts; a bill counts differently.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.house import table
from tests.api import ScriptedApi
from tests.machine import ROOT
from tests.real.cli import NoCli, find_cli
from tests.real.sessions import RealProject, real_project, signal
from tests.replies import Text
from tests.script import Request, from_helper, said

LIMIT = 28_000
"""Characters of the first request: 7.0k tokens (issue 17)."""
SANDBOX: dict[str, Any] = {
    "sandbox": {"enabled": True, "failIfUnavailable": True, "allowUnsandboxedCommands": False}
}
HEADINGS = (
    r"^(?=#+ )|^(?=You are powered by|Available agent types|When you launch|While bypass"
    r"|Today's date|Session folder: )"
)
"""Where the texts of CLI 2.1.332 and workflow.md are cut into parts."""


class Part(NamedTuple):
    """A piece of a request; `size` in characters."""

    place: str
    name: str
    size: int


def first_requests(requests: Sequence[Request]) -> list[Request]:
    """Return the first request of each iteration, without those of helpers."""
    return [each for each in requests if not said(each) and not from_helper(each)]


def blocks(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every block in the order in which the API caches: tools, system, messages."""
    yield from (("tool", tool) for tool in request["tools"])
    yield from (("system", block) for block in request["system"])
    for message in request["messages"]:
        place = "prompt" if message["role"] == "user" else "environment"
        content = message["content"]
        texts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        yield from ((place, block) for block in texts)


def parts(request: Request) -> list[Part]:
    """Cut a request into its tools and the sections of its texts."""
    found: list[Part] = []
    for place, block in blocks(request):
        if place == "tool":
            text = json.dumps(block, ensure_ascii=False, separators=(",", ":"))
            found.append(Part(place, block["name"], len(text)))
            continue
        for text in re.split(HEADINGS, block["text"], flags=re.M):
            if text.strip():
                found.append(Part(place, text.strip().splitlines()[0][:50], len(text)))
    return found


def size(request: Request) -> int:
    """Return the characters of a request."""
    return sum(part.size for part in parts(request))


@contextmanager
def place(binary: Path) -> Generator[RealProject]:
    """Yield a project with one commit, in a folder and a HOME of its own."""
    with tempfile.TemporaryDirectory(prefix="samocode-tokens-") as scratch:
        folder = Path(scratch).resolve()
        (folder / "gitconfig").write_text("[user]\n\tname = T\n\temail = t@example.invalid\n")
        os.environ |= {"GIT_CONFIG_GLOBAL": f"{folder}/gitconfig", "GIT_CONFIG_NOSYSTEM": "1"}
        repo = folder / "repo"
        subprocess.run(["git", "init", "-q", "-b", "main", repo], check=True)
        commit = ["commit", "--quiet", "--allow-empty", "--message=Start"]
        subprocess.run(["git", "-C", repo, *commit], check=True)
        with real_project(folder, binary, "tokens") as project:
            project.fast = False
            yield project


def add_plugin(project: RealProject) -> None:
    """Install this clone as a plugin in the HOME of the project."""
    for words in (("marketplace", "add", str(ROOT)), ("install", "samocode@samocode")):
        command = [str(project.claude), "plugin", *words]
        subprocess.run(command, env=project.environ, check=True, stdout=subprocess.DEVNULL)


def measure(
    binary: Path, settings: dict[str, Any] | None = None, args: str = "", commands: str = ""
) -> Request:
    """Return the first request of a session of a user with these settings, CLAUDE_ARGS and
    commands (`links` or `plugin`)."""
    with place(binary) as project, ScriptedApi([signal("blocked", reason="r"), Text("Ok.")]) as api:
        home = project.folder / "home/.claude"
        (home / "commands").mkdir(parents=True)
        for command in (ROOT / "commands").glob("*.md") if commands == "links" else ():
            (home / "commands" / command.name).symlink_to(command)
        (home / "settings.json").write_text(json.dumps(settings or {}))
        if commands == "plugin":
            add_plugin(project)
        project.api, project.extra = api.url, {"CLAUDE_ARGS": args}
        printed = project.begin().out
        assert api.requests, printed
        return first_requests(api.requests)[0]


def main() -> None:
    """Print the parts, then what a user's choices add or save."""
    binary = find_cli()
    request = measure(binary)
    found, whole = parts(request), size(request)
    rows = [(p.place, p.name, p.size, round(p.size / 4)) for p in found]
    for kind in dict.fromkeys(part.place for part in found):
        one = sum(part.size for part in found if part.place == kind)
        rows.append((f"all {kind}", "", one, round(one / 4)))
    heads = ("place", "part", "characters", "tokens")
    table("the first request of an iteration", heads, *rows, ("all", "", whole, round(whole / 4)))
    users: dict[str, dict[str, Any]] = {
        "commands linked into ~/.claude": {"commands": "links"},
        "commands as a plugin": {"commands": "plugin"},
        "Claude's own sandbox": {"settings": SANDBOX},
        "no helpers (--disallowedTools Agent)": {"args": "--disallowedTools Agent"},
    }
    changes = [(name, size(measure(binary, **given)) - whole) for name, given in users.items()]
    lines = [(name, f"{more:+}", f"{round(more / 4):+}") for name, more in changes]
    table("what changes it", ("", "characters", "tokens"), *lines)


if __name__ == "__main__":
    try:
        main()
    except NoCli as missing:
        raise SystemExit(f"bench/tokens.py: {missing}") from None
