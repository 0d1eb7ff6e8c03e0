"""The clone as a plugin of Claude Code: the real CLI validates, installs and runs it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from samocode.check.machine import PLUGIN, has_plugin
from tests.machine import Machine, needs_wheels
from tests.prompts import COMMANDS, body, fences
from tests.real.cli import Cli, clean_env
from tests.real.sessions import NOWHERE
from tests.real.test_commands import typed

pytestmark = [pytest.mark.real, needs_wheels]
ON_CLONE = sorted(name for name in COMMANDS if "readlink" in body(name))


def plugin(cli: Cli, *words: str | Path) -> str:
    """What `claude plugin ...` prints; it needs no API."""
    done = subprocess.run(
        [cli.binary, "plugin", *words], env=clean_env(cli.home, NOWHERE), cwd=cli.work,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def finds(shell: str, home: Path) -> str:
    """Run a command's shell block that looks for the clone, and return what it prints."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    found = subprocess.check_output(["bash", "-c", shell], env=env, text=True, timeout=60)
    return found.removesuffix("/commands/samocode.md\n")


def block(messages: str) -> str:
    """The first shell block of a command, as it reached the API."""
    found = re.search(r"```\\n(.*?)```", messages)
    assert found
    return str(json.loads(f'"{found[1]}"'))


def test_the_plugin_is_valid_and_its_commands_find_the_clone(cli: Cli, machine: Machine) -> None:
    """After the commands that `install.sh --plugin` prints, each slash command finds the clone,
    although nothing is linked and the clone's path has a space."""
    done = replace(machine, home=cli.home).install("--plugin")
    assert done.returncode == 0 and not (cli.home / ".claude/commands").exists()
    assert "Validation passed" in plugin(cli, "validate", "--strict", machine.clone)
    for line in re.findall(r"^ +claude plugin (.*)", done.stdout, re.M):
        plugin(cli, *shlex.split(line))
    assert has_plugin(cli.home / ".claude")
    for name in ON_CLONE:
        init, messages = typed(cli, f"/samocode:{name} the 'words'")
        assert {f"samocode:{each}" for each in COMMANDS} <= set(init["slash_commands"])
        assert "Input: the 'words'\\n" in messages
        assert finds(block(messages), cli.home) == str(machine.clone)
    plugin(cli, "disable", PLUGIN)
    assert not has_plugin(cli.home / ".claude")
    plugin(cli, "uninstall", PLUGIN)
    assert not has_plugin(cli.home / ".claude")


def test_with_links_the_same_block_finds_the_clone(cli: Cli, machine: Machine) -> None:
    """A linked command finds the clone, too. The CLI then replaces nothing in its shell block."""
    assert replace(machine, home=cli.home).install().returncode == 0
    assert len(ON_CLONE) == 4
    for name in ON_CLONE:
        assert finds(fences(body(name))[0], cli.home) == str(machine.clone)


def test_a_skill_hides_a_linked_command(cli: Cli, machine: Machine) -> None:
    """A skill hides a linked command, and a linked command hides a project's command, as install.sh
    says."""
    assert replace(machine, home=cli.home).install().returncode == 0
    skill = cli.home / ".claude/skills/dive/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: dive\ndescription: d\n---\nOTHER-DIVE\n")
    task = cli.work / ".claude/commands/task.md"
    task.parent.mkdir(parents=True)
    task.write_text("---\ndescription: d\n---\nOTHER-TASK\n")
    assert "OTHER-DIVE" in typed(cli, "/dive x")[1]
    assert "OTHER-TASK" not in typed(cli, "/task x")[1]
