"""Records tests/fakes/events/*.jsonl: what the real CLI prints, one file for each kind of ending.

Run it after a change of VERSION in tests/real/cli.py: python -m bench.record FOLDER
Nothing is left out; only the paths of this machine are replaced.
"""

import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import replies
from tests.api import ScriptedApi
from tests.real.cli import Cli, as_subscriber, clean_env, find_cli
from tests.replies import Drop, Reply, Text, Tool, Turn, bash, limit_headers, usage_limit, write

HOME = "/home/sam"
RESET = 1_800_000_000  # epoch seconds: 2027-01-15
ORG = "OAuth authentication is currently not allowed for this organization."
HOOK = "test -f seen || { touch seen; echo 'write _signal.json first' >&2; exit 2; }"
SETTINGS = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": HOOK}]}]}}
DONE = Text("All done.")
HELPER = Tool("Agent", {"description": "look", "prompt": "Look.", "subagent_type": "Explore"})
NEAR = Turn((DONE,), headers=limit_headers("allowed_warning", RESET, 0.93))


def as_nobody(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of somebody who is not logged in."""
    return {name: value for name, value in env.items() if name != "ANTHROPIC_API_KEY"}


def in_the_foreground(env: Mapping[str, str]) -> dict[str, str]:
    """The CLI waits for helpers, as in every child of the loop."""
    return dict(env) | {"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"}


def nowhere(env: Mapping[str, str]) -> dict[str, str]:
    """An API at the discard port, where nobody listens."""
    return dict(env) | {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}


@dataclass(frozen=True)
class Case:
    """What the API answers, the flags, and who asks in which mode."""

    replies: list[Reply]
    flags: list[str] = field(default_factory=list[str])
    env: Callable[[Mapping[str, str]], dict[str, str]] = dict
    mode: str = "bypassPermissions"


def cases(work: Path) -> dict[str, Case]:
    """Every recording by its name; `work` is the working directory of the run."""
    first = Turn((Text("I look around."), write(work / "note.txt", "hi\n"), bash("ls")))
    outside = Turn((bash("curl -s http://127.0.0.1:9/"), write(work.parent / "outside.txt", "x")))
    return {
        "normal": Case([first, DONE]),
        "helper": Case([HELPER, Text("Nothing to see."), DONE], env=in_the_foreground),
        "background": Case([HELPER, Text("Nothing to see."), DONE]),  # two inits, two results
        "usage_limit": Case([usage_limit(RESET)], env=as_subscriber),
        "limit_warning": Case([NEAR], env=as_subscriber),
        "auth_401": Case([replies.BAD_KEY]),
        "auth_401_token": Case([replies.BAD_KEY], env=as_subscriber),
        "billing_400": Case([replies.CREDIT]),
        "spend_limit_400": Case([replies.SPEND_LIMIT]),
        "invalid_400": Case([replies.INVALID]),
        "forbidden_403": Case([replies.FORBIDDEN]),
        "org_403": Case([replies.Error(403, "permission_error", ORG)], env=as_subscriber),
        "model_404": Case([replies.NO_MODEL], ["--model", "claude-nonesuch-9"]),
        "too_large_413": Case([replies.TOO_LARGE]),
        "rate_limit_429": Case([replies.RATE_LIMITED]),
        "server_500": Case([replies.SERVER_ERROR]),
        "overloaded_529": Case([replies.OVERLOADED]),
        "refused": Case([], env=nowhere),
        "dropped": Case([Drop()]),
        "not_logged_in": Case([], env=as_nobody),
        "max_turns": Case([bash("true")], ["--max-turns", "2"]),
        "max_budget": Case([bash("true")], ["--max-budget-usd", "0.002"]),
        "hook_blocked": Case(
            [DONE, bash("echo '{}' > _signal.json"), DONE], ["--settings", json.dumps(SETTINGS)]
        ),
        "denied": Case([outside, Text("I could not.")], mode="acceptEdits"),
    }


def record(binary: Path, name: str, home: Path) -> str:
    """One recording, its paths replaced. The CLI names a project's folder by its path, with `-` for
    every character but letters and digits."""
    cli = Cli(binary, home, home / "work")
    cli.work.mkdir(parents=True)
    case = cases(cli.work)[name]
    with ScriptedApi(case.replies) as api:
        env = clean_env(home, api.url) | {"CLAUDE_CODE_MAX_RETRIES": "1"}
        out = cli.run(case.env(env), *case.flags, mode=case.mode).stdout
    flat, flat_home = (re.sub(r"[^A-Za-z0-9]", "-", path) for path in (str(home), HOME))
    return out.replace(str(home), HOME).replace(flat, flat_home)


def main(folder: Path) -> None:
    """Write all of them."""
    binary = find_cli()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="samocode-record-") as scratch:
        for name in cases(Path()):
            home = Path(scratch, name.replace("_", "-")).resolve()
            (folder / f"{name}.jsonl").write_text(record(binary, name, home))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
