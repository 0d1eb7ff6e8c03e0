"""In the place of the Claude CLI: hands each iteration over to a reader, by files in a mailbox.

The loop starts it with the CLI's flags and the prompt on stdin. It writes `NNN/prompt.md` and
`NNN/brief.md` into the folder TRIAL_MAILBOX, and ends when the reader has run `trials/done` and the
Stop hook accepts: the same hook, from the same --settings, as with the real CLI.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trials import snapshot
from trials.trial import enter

TRIALS = Path(__file__).resolve().parent
POLL = 0.2  # seconds between two looks into the mailbox
MAX_HOOKS = 8  # the CLI overrides a hook that sends back this often in a row (measured)
KEPT_OUT = frozenset({"SAMOCODE_RUN", "TRIAL_MAILBOX", "PWD", "OLDPWD", "SHLVL", "_"})
"""Not for the reader's shell: the loop ends whatever has its mark."""

BRIEF = """\
# You are a child process

You take the place of a command line program that was started in the background with the prompt in
{here}/prompt.md
That prompt is all you know. Read it whole and do what it says. Nobody can answer you.

- Working directory: {cwd}
- Your tools: shell and file tools. Begin every shell command with `. {here}/enter.sh &&`
  (it goes to the working directory and sets the environment that the program was started with).
  You have no tool to start helpers, and none for the web.
- Do not look into {mail} (except your own folder), {trials} or other trials: they are not part of
  what you know.
- When all is done and the signal is written, run
  `{trials}/done {here}`
  and do nothing after it, if it says so. If it prints what is wrong, mend that and run it again.
"""


@dataclass(frozen=True)
class HandOver:
    """One iteration in the mailbox: its folder, and where the child works."""

    folder: Path
    session: Path
    cwd: Path
    session_id: str

    def snap(self, kind: str) -> None:
        """Write down how things stand."""
        snapshot.take(self.folder, kind, self.folder.parents[1], self.session, self.cwd)


def emit(**event: object) -> None:
    """One stream-json event."""
    print(json.dumps(event), flush=True)


def value(argv: list[str], flag: str) -> str:
    """What stands after a flag."""
    return argv[argv.index(flag) + 1]


def main(argv: list[str]) -> int:
    """Hand over, wait, check, end: exit 0 with a result event."""
    prompt = sys.stdin.read()
    session = Path(next(ln for ln in prompt.splitlines() if ln.startswith("Session folder: "))[16:])
    number = json.loads((session / "_iteration.json").read_text())["iteration"]
    folder = Path(os.environ["TRIAL_MAILBOX"]) / f"{number:03d}"
    over = HandOver(folder, session, Path.cwd(), value(argv, "--session-id"))
    signal.signal(signal.SIGTERM, lambda number, frame: ended_by_the_loop(over, number, frame))
    emit(
        type="system", subtype="init", session_id=over.session_id, model="a reader", tools=["Bash"]
    )
    write(over, prompt, argv)
    sent_back = until_accepted(over, json.loads(value(argv, "--settings")))
    over.snap("after")
    (over.folder / "finished").write_text(f"{time.time():.0f} sent back {sent_back}\n")
    emit(
        type="result", subtype="success", is_error=False, session_id=over.session_id,
        total_cost_usd=0.0, num_turns=1, permission_denials=[], modelUsage={},
    )  # fmt: skip
    return 0


def write(over: HandOver, prompt: str, argv: list[str]) -> None:
    """Everything that the reader gets, brief.md last: its presence says that all is there."""
    over.folder.mkdir(parents=True)
    (over.folder / "argv.json").write_text(json.dumps([argv, dict(os.environ)], indent=1))
    (over.folder / "pid").write_text(str(os.getpid()))
    (over.folder / "prompt.md").write_text(prompt)
    environ = {name: text for name, text in sorted(os.environ.items()) if name not in KEPT_OUT}
    (over.folder / "enter.sh").write_text(enter(environ, over.cwd))
    over.snap("before")
    brief = BRIEF.format(here=over.folder, cwd=over.cwd, mail=over.folder.parent, trials=TRIALS)
    temporary = over.folder / "brief.tmp"
    temporary.write_text(brief)
    temporary.rename(over.folder / "brief.md")


def until_accepted(over: HandOver, settings: Mapping[str, Any]) -> int:
    """Wait for `done`, run the hook, answer; how often it sent the reader back."""
    sent_back = 0
    while True:
        mark = over.folder / "done"
        while not mark.exists():
            time.sleep(POLL)
        nonce = mark.read_text()
        mark.unlink()
        text = hook(over, settings, active=sent_back > 0) if sent_back < MAX_HOOKS else None
        if text is None:
            answer(over, nonce, 0, "")
            return sent_back
        sent_back += 1
        (over.folder / f"hook-{sent_back}.txt").write_text(text)
        answer(over, nonce, 2, text)


def answer(over: HandOver, nonce: str, code: int, text: str) -> None:
    """Tell the waiting `trials/done` what the check says."""
    temporary = over.folder / "answer.tmp"
    temporary.write_text(json.dumps({"nonce": nonce, "code": code, "text": text}))
    temporary.rename(over.folder / "answer.json")


def hook(over: HandOver, settings: Mapping[str, Any], active: bool) -> str | None:
    """Run the Stop hooks as the CLI does: exit code 2 sends back with stderr, anything else
    passes."""
    asked = {
        "session_id": over.session_id,
        "transcript_path": str(over.folder / "prompt.md"),
        "cwd": str(over.cwd),
        "hook_event_name": "Stop",
        "stop_hook_active": active,
    }
    for entry in hooks(settings):
        done = subprocess.run(
            ["/bin/sh", "-c", entry["command"]],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            cwd=over.cwd,
            timeout=float(entry.get("timeout", 60)),
            check=False,
        )
        if done.returncode == 2:
            return done.stderr
    return None


def hooks(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The Stop hooks of --settings."""
    return [entry for group in settings["hooks"]["Stop"] for entry in group["hooks"]]


def ended_by_the_loop(over: HandOver, _number: int, _frame: FrameType | None) -> None:
    """SIGTERM: the time limit or a stop. The reader is told by `done`."""
    over.snap("after")
    (over.folder / "ended").write_text(f"{time.time():.0f} {uuid.uuid4()}\n")
    os._exit(143)
