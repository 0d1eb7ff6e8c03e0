#!/usr/bin/env python3
"""In the place of the Claude CLI (CLAUDE_PATH): hands an iteration to a reader, by files.

It writes mail/NNN/brief.md and waits until `drive.py done` has written mail/NNN/finished. While
TRIAL/steps has lines, the scripted reader plays instead: so a trial can begin in the middle.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.trials import scripted, snapshot
from tests.trials.trial import HERE, Trial, shell

NOT_FOR_READERS = ("SAMOCODE_RUN", "TRIAL", "PWD", "OLDPWD", "SHLVL", "_")
"""The loop ends every process with its run tag; a reader's shell must not have it."""
BRIEF = """\
# You are a child process

You take the place of a command line program that was started in the background with the prompt in
{here}/prompt.md
That prompt is all you know. Read it whole and do what it says. Nobody can answer you.

- Your one tool is the shell, for files too: calls are counted. Begin every shell command with
  `. {here}/enter.sh &&` (working directory and environment of that program).
  You have no helpers and no web. Run nothing in the background.
- Do not look into {mail} (but your own folder), {trials} or other trials:
  they are not part of what you know.
- When all is done and the signal is written, run
  `{done}`
  If it says that you may end, do nothing more. If it says what is wrong, correct that and run it
  again.
"""


def main(argv: list[str]) -> int:
    """One run of the "CLI": init event, the iteration, result event."""
    prompt = sys.stdin.read()
    trial, call = Trial(Path(os.environ["TRIAL"])), dict(itertools.pairwise(argv))
    session = Path(call["--add-dir"])
    emit(
        type="system", subtype="init", session_id=call["--session-id"], model="a reader",
        tools=["Bash"], permissionMode=call["--permission-mode"], apiKeySource="none",
    )  # fmt: skip
    steps = trial.folder / "steps"
    step, _, left = (steps.read_text() if steps.exists() else "").partition("\n")
    if step:
        steps.write_text(left)
        scripted.play(step, session, early=True)
    else:
        hand_over(trial, session, prompt, call["--settings"])
    emit(
        type="result", subtype="success", is_error=False, session_id=call["--session-id"],
        total_cost_usd=0.0, num_turns=1, permission_denials=[], modelUsage={}, result="",
    )  # fmt: skip
    return 0


def hand_over(trial: Trial, session: Path, prompt: str, settings: str) -> None:
    """Give the iteration to a reader and wait for its end."""
    number = json.loads((session / "_iteration.json").read_text())["iteration"]
    here = trial.mail / f"{number:03d}"
    here.mkdir()

    def cut_off(_number: int, _frame: object) -> None:
        """The time limit, or a stop."""
        (here / "cut-off").touch()
        snapshot.take(trial, here / "after.json")
        os._exit(143)

    signal.signal(signal.SIGTERM, cut_off)
    (here / "environ.json").write_text(json.dumps({**os.environ, "PWD": str(Path.cwd())}))
    (here / "settings.json").write_text(settings)
    (here / "prompt.md").write_text(prompt)
    environ = {name: value for name, value in os.environ.items() if name not in NOT_FOR_READERS}
    (here / "enter.sh").write_text(shell(environ, Path.cwd(), here / "calls"))
    snapshot.take(trial, here / "before.json")
    done = shlex.join([sys.executable, str(HERE / "drive.py"), "done", str(here)])
    brief = BRIEF.format(here=here, mail=trial.mail, trials=HERE, done=done)
    (here / "brief.tmp").write_text(brief)
    (here / "brief.tmp").rename(here / "brief.md")
    while not (here / "finished").exists():
        time.sleep(0.1)


def emit(**event: object) -> None:
    """One stream-json event."""
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
