"""How an iteration is handed to a reader, and taken back: by files in mail/NNN."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from samocode.record import files
from tests.trials.played import look
from tests.trials.trial import HERE, Trial

NOT_FOR_READERS = ("SAMOCODE_RUN", "TRIAL", "FAKE_", "STUB_", "PWD", "OLDPWD", "SHLVL", "_")
"""The loop ends every process with its run tag; a reader's shell must not have it."""
HOOK_LIMIT = 60.0  # seconds
BLOCKED_BY_HOOK = 2  # a Stop hook's exit code; any other one lets the child end
END, CORRECT, TOO_LATE = 0, 2, 3
BRIEF = """\
# You are a child process

You take the place of a command line program that was started in the background with the prompt in
{here}/prompt.md
That prompt is all you know. Read it whole and do what it says. Nobody can answer you.

- Your one tool is the shell, for files too: calls are counted. Begin every shell command with
  `. {here}/enter.sh &&` (working directory and environment of that program).
  You have no helpers and no web. Run nothing in the background.
- Do not look into {mail} (but your own folder), {steps}, {trials} or other trials:
  they are not part of what you know.
- When all is done and the signal is written, run
  `{done}`
  If it says that you may end, do nothing more. If it says what is wrong, correct that and run it
  again.
"""
ENTER = """\
unset $(env | grep -Eo '^(CLAUDE|ANTHROPIC|TELEGRAM|SAMOCODE)[A-Z_]*')
{exports}
export PYTHONDONTWRITEBYTECODE=1
cd {cwd}
echo call >>{calls}
"""


def hand_over(session: Path, prompt: str) -> None:
    """Give the iteration to a reader and wait for its end: the stand-in claude plays this."""
    trial = Trial(Path(os.environ["TRIAL"]))
    number = json.loads((session / "_iteration.json").read_text())["iteration"]
    here = trial.mail / f"{number:03d}"
    here.mkdir()

    def cut_off(_number: int, _frame: object) -> None:
        """The time limit, or a stop."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the git of `look` gets it, too
        (here / "cut-off").touch()
        look(trial, here / "after.json")
        os._exit(143)

    signal.signal(signal.SIGTERM, cut_off)
    environ = [pair for pair in os.environ.items() if not pair[0].startswith(NOT_FOR_READERS)]
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environ)
    cwd, calls = shlex.quote(str(Path.cwd())), shlex.quote(str(here / "calls"))
    (here / "enter.sh").write_text(ENTER.format(exports=exports, cwd=cwd, calls=calls))
    (here / "prompt.md").write_text(prompt)
    look(trial, here / "before.json")
    done = shlex.join([sys.executable, str(HERE / "drive.py"), "done", str(here)])
    brief = BRIEF.format(here=here, mail=trial.mail, steps=trial.steps, trials=HERE, done=done)
    files.write(here / "brief.md", brief)
    while not (here / "finished").exists():
        time.sleep(0.1)


def take_back(here: Path) -> int:
    """`drive.py done`: run the Stop hook as the CLI does; it is over, or the reader corrects."""
    if (here / "after.json").exists():
        print("This iteration is over already. End now.")
        return TOO_LATE
    trial, sent_back = Trial(here.parents[1]), len(list(here.glob("hook-*.txt")))
    if said := stop_hook(trial, int(here.name)):
        (here / f"hook-{sent_back + 1}.txt").write_text(said)
        print(said)
        return CORRECT
    look(trial, here / "after.json")
    (here / "finished").touch()
    print("The check accepts. You may end; do nothing more.")
    return END


def stop_hook(trial: Trial, iteration: int) -> str:
    """What the Stop hook of --settings complains about; "" for nothing."""
    run = trial.child(iteration)
    argv, environ, cwd = run["argv"], run["environ"], run["cwd"]
    settings = json.loads(argv[argv.index("--settings") + 1])
    (command,) = [hook["command"] for group in settings["hooks"]["Stop"] for hook in group["hooks"]]
    told = json.dumps({"hook_event_name": "Stop", "cwd": cwd, "stop_hook_active": False})
    ended = subprocess.run(
        ["/bin/sh", "-c", command], input=told, cwd=cwd, env=environ,
        capture_output=True, text=True, timeout=HOOK_LIMIT, check=False,
    )  # fmt: skip
    return ended.stderr.strip() if ended.returncode == BLOCKED_BY_HOOK else ""
