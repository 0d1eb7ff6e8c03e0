"""The files in deploy/ treat each exit code as documented. The queue is really run, with the stub
in place of claude."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from samocode.record.exits import ExitCode
from tests.outer.speech import PATIENCE, wait_for
from tests.outer.stage import HERE, MAIN, Stage, executable

DEPLOY = MAIN.parent / "deploy"
ASKED = {int(ExitCode.INTERRUPTED), int(ExitCode.TERMINATED)}
RETRIED = {int(ExitCode.FAILED)}
FOR_A_PERSON = {int(code) for code in ExitCode} - ASKED - RETRIED - {int(ExitCode.DONE)}
TASK = "write(NAME + '.md'); signal('done', summary='It works.')"
SLOW = "up(); time.sleep(600) if NAME == 'b' and not (STEPS / 'go').exists() else None\n"
NAME = "NAME = SESSION.name.rpartition('-')[2]\n"


def needs(program: str) -> None:
    """.ci/run installs parallel."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


UNIT = (DEPLOY / "samocode@.service").read_text()


def test_the_unit_restarts_only_what_a_restart_can_help() -> None:
    for key, codes in (("RestartPreventExitStatus", FOR_A_PERSON), ("SuccessExitStatus", ASKED)):
        (listed,) = re.findall(rf"^{key}=(.*)$", UNIT, re.M)
        assert {int(code) for code in listed.split()} == codes
    assert "\nRestart=on-failure\n" in UNIT and "\nStartLimitBurst=" in UNIT


@pytest.mark.parametrize("restarts", ["0", "2", ""])
def test_only_restarts_count_against_the_limit(tmp_path: Path, restarts: str) -> None:
    """systemd 252 counts every start, so it refused to start after three answers in a day."""
    (line,) = re.findall(r"^ExecStartPre=-(.*)$", UNIT.replace("\\\n", " "), re.M)
    ran, asked = tmp_path / "ran", f"[ $2 = show ] && echo {restarts}"
    executable(tmp_path / "systemctl", f'#!/bin/sh\n{asked} || echo "$*" >{ran}\n')
    ran.touch()
    command = [word.replace("$$", "$").replace("%n", "a.service") for word in shlex.split(line)]
    subprocess.run(command, env={"PATH": str(tmp_path)}, check=True)
    assert ran.read_text() == ("--user reset-failed a.service\n" if restarts == "0" else "")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    needs("systemd-analyze")
    program = tmp_path / ".local/bin/samocode"
    program.parent.mkdir(parents=True)
    program.symlink_to("/bin/true")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(DEPLOY / "samocode@.service")],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(("name", "ends"), [("job", "FailJob"), ("jobs", "FailIndex")])
def test_a_job_has_a_rule_for_each_exit_code(name: str, ends: str) -> None:
    """But 0, and 1, which counts against the backoff limit."""
    spec: dict[str, Any] = yaml.safe_load((DEPLOY / f"{name}.yaml").read_text())["spec"]
    on_exit = {
        rule["action"]: set(rule["onExitCodes"]["values"])
        for rule in spec["podFailurePolicy"]["rules"]
        if "onExitCodes" in rule
    }
    terminated = {int(ExitCode.TERMINATED)}
    assert on_exit == {"Ignore": terminated, ends: FOR_A_PERSON | ASKED - terminated}
    assert spec["backoffLimit" if name == "job" else "backoffLimitPerIndex"] > 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "the policy needs it"


@pytest.mark.parametrize("version", ["1.33", "1.37"])
def test_kubernetes_accepts_the_manifests(version: str) -> None:
    program = Path(sys.executable).with_name("kubernetes-validate")
    command = [str(program), "--strict", "-k", version, *map(str, DEPLOY.glob("*.yaml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "source", re.findall(r"^COPY (.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M)
)
def test_the_container_has_what_the_loop_needs(source: str) -> None:
    assert all((MAIN.parent / name).exists() for name in source.split())


def test_process_1_of_a_container_does_not_ignore_signals() -> None:
    """The kernel drops signals that process 1 does not handle, so a SIGTERM in the first 0.2
    seconds was lost and the stop ended with a kill."""
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^ +.* tini ", text, re.M) and '\nENTRYPOINT ["tini", "--", ' in text
    spec = yaml.safe_load((DEPLOY / "jobs.yaml").read_text())["spec"]["template"]["spec"]
    commands = [made["command"][:2] for made in spec["initContainers"] + spec["containers"]]
    assert commands == [["tini", "--"]] * 2


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Stage]:
    """A project with three issues. The second one hangs until a file `go` exists."""
    needs("parallel")
    made = Stage(tmp_path / "project").with_git()
    made.script(default=NAME + SLOW + TASK)
    (made.folder / "issues").mkdir()
    for name in ("a", "b", "c"):
        (made.folder / "issues" / f"{name}.md").write_text(f"Do {name}.\n")
    fast = f'#!/bin/sh\nexec {sys.executable} {HERE}/speech.py "$@"\n'
    made.extra["SAMOCODE"] = str(executable(made.folder / "samocode", fast))
    yield made
    made.close()


def start(stage: Stage) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(DEPLOY / "queue.sh"), "issues", "1", "--quiet"], cwd=stage.folder, env=stage.environ,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def states(stage: Stage) -> dict[str, str]:
    found = json.loads((stage.folder / "issues/.queue/results.json").read_text())
    return {row["name"].rpartition("-")[2]: row["state"] for row in found["sessions"]}


def test_a_queue_is_ended_and_resumed(queue: Stage) -> None:
    """The resumed queue skips sessions that are done, and runs files that were added meanwhile."""
    first = start(queue)
    wait_for(lambda: list((queue.folder / "sessions").glob("*-b/_logs/*")) and queue.children == 2)
    first.send_signal(signal.SIGTERM)
    out, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 1 and queue.alive == [], out
    assert states(queue) == {"a": "done", "b": "terminated"}, out
    (queue.folder / "issues/A-new.md").write_text("Do new.\n")
    (queue.steps / "go").touch()
    second = start(queue)
    out, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, out
    assert states(queue) == dict.fromkeys(("a", "b", "c", "new"), "done"), out
    assert queue.children == 2 + 3, "a ran once, b twice"
