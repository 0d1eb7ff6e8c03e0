"""Real runs of install.sh: it makes .venv and links, and removes exactly these."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.machine import Machine, copy_of, names, needs_wheels
from tests.outer.stage import ROOT, photo


def installs(machine: Machine, *args: str) -> str:
    """Run it, assert that it succeeds, and return its stdout."""
    done = machine.install(*args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fails(machine: Machine) -> str:
    """Run it, assert that it fails without a change of HOME, and return its stderr."""
    before = photo(machine.home)
    done = machine.install()
    assert done.returncode == 1 and photo(machine.home) == before
    return done.stderr


def links(machine: Machine) -> set[Path]:
    """The targets of the links among the user's commands."""
    return {file.readlink() for file in machine.commands.iterdir() if file.is_symlink()}


@needs_wheels
def test_what_was_made_is_made_once_and_removed_again(machine: Machine) -> None:
    """A second run changes nothing and needs no network. --uninstall removes links, .venv, .demo,
    and the folders that the installation made."""
    before, clone = photo(machine.home), names(machine.clone) - {".venv"}
    installs(machine)
    assert {file.name: file.readlink() for file in machine.commands.iterdir()} == machine.sources()
    assert names(machine.home) == {".claude", ".local"}
    made = photo(machine.home)
    assert "Installing" not in installs(machine.knowing(PIP_FIND_LINKS="/nowhere"))
    assert photo(machine.home) == made
    (machine.clone / ".demo/0108-110000").mkdir(parents=True)  # as `--demo` leaves it
    for _ in range(2):
        installs(machine, "--uninstall")
        assert photo(machine.home) == before and names(machine.clone) == clone


@needs_wheels
def test_the_last_lines_say_what_to_do_next(machine: Machine, tmp_path: Path) -> None:
    """Also if install.sh is started through a link. A missing claude is a warning."""
    (tmp_path / "links").mkdir()
    (tmp_path / "links/first").symlink_to("../my clone/install.sh")
    (tmp_path / "links/setup").symlink_to("first")
    done = machine.install(script=tmp_path / "links/setup", cwd=Path("/"))
    assert links(machine) == set(machine.sources().values())
    assert done.returncode == 0 and "claude was not found" in done.stderr
    assert f"{len(machine.sources())} commands are linked in {machine.commands}" in done.stdout
    following = done.stdout.split("Next:")[1]
    for words in ("MAIN_REPO=", "WORKTREES=", "SESSIONS=", "Run samocode with a dive into"):
        assert words in following
    claude = machine.executable("claude", "exit 1")
    assert f"claude: {claude}" in installs(machine)
    elsewhere = machine.knowing(CLAUDE_PATH="/nowhere/claude").install()
    assert "claude was not found (/nowhere/claude)" in elsewhere.stderr


@needs_wheels
def test_what_no_longer_fits_is_replaced(machine: Machine) -> None:
    """A new requirement is installed, a link to a command that is gone is removed, and a .venv
    whose python is gone is made again."""
    installs(machine)
    requirements = machine.clone / "requirements.txt"
    requirements.write_text(requirements.read_text() + "idna\n")
    (machine.clone / "commands/dive.md").unlink()
    assert "Installing" in installs(machine)
    assert names(machine.commands) == set(machine.sources())
    python = machine.clone / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert "Making .venv" in installs(machine)


@needs_wheels
def test_a_venv_of_the_user_is_used_and_stays(machine: Machine) -> None:
    """--uninstall does not remove it, and a broken one is not replaced."""
    (machine.clone / ".venv/.samocode").unlink()
    installs(machine)
    installs(machine, "--uninstall")
    (machine.clone / ".venv/bin/python").unlink()
    before = photo(machine.clone)
    assert "did not make it. Move it away" in fails(machine) and photo(machine.clone) == before


@pytest.mark.parametrize(
    ("python", "says"),
    [
        ("echo pyenv: not installed >&2; exit 127", "https://www.python.org/downloads/"),
        (f"exec '{sys.executable}' -c 'import sys; sys.exit(1)'", "No Python 3.11 or newer"),
        (f'case $* in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"',
            "sudo apt install python3-venv"),
    ],
    ids=["failing shims", "too old", "Debian without venv"],
)  # fmt: skip
def test_without_a_suitable_python_nothing_is_made(bare: Machine, python: str, says: str) -> None:
    """The error says where to get Python, without the messages of pyenv's shims."""
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        bare.executable(name, python)
    before = photo(bare.clone)
    said = fails(bare)
    assert says in said and "pyenv" not in said and photo(bare.clone) == before


def test_an_index_that_cannot_be_reached(bare: Machine) -> None:
    """The exit code is 1, and the error says what to check. CDPATH has no effect."""
    folder = bare.clone.parent
    dead = bare.knowing(PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_RETRIES="1").knowing(
        PIP_INDEX_URL="http://127.0.0.1:9/simple", CDPATH=f"/:{folder}"
    )
    done = dead.install(script=bare.clone.relative_to(folder) / "install.sh", cwd=folder)
    assert done.returncode == 1 and names(bare.home) == set()
    assert f"in {bare.clone}/.env (samocode reads it" in done.stderr
    assert "pip could not reach its package index" in done.stderr.splitlines()[-1]


@needs_wheels
def test_the_demo_needs_no_claude_and_makes_no_link(bare: Machine) -> None:
    """It skips a failing shim before a good python."""
    bare.executable("python3", f'exec "{sys.executable}" "$@"').rename(bare.bin / "python3.12")
    bare.executable("python3", "exit 127")
    done = bare.install("--demo")
    assert done.returncode == 0 and done.stdout.endswith("main.py --demo\n"), done.stderr
    assert "claude" not in done.stderr and names(bare.home) == set()


def test_help_and_wrong_usage(bare: Machine) -> None:
    shown = installs(bare, "--help")
    assert all(flag in shown for flag in ("--plugin", "--demo", "--uninstall", "--help"))
    for wrong in (("--dmeo",), ("--demo", "--help"), ("demo",)):
        done = bare.install(*wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Usage: ./install.sh" in done.stderr
    assert names(bare.home) == set()


def test_main_names_the_installer_when_packages_are_missing(tmp_path: Path) -> None:
    clone = tmp_path / "my clone"
    shutil.copytree(ROOT / "samocode", clone / "samocode")
    shutil.copy(ROOT / "main.py", clone)
    words = [sys.executable, "-S", str(clone / "main.py"), "--version"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"lacks (dotenv, requests). Run: '{clone}/install.sh'" in done.stderr


@pytest.mark.parametrize("script", ["install.sh", "tests/run", ".ci/run"])
def test_the_scripts_are_executable_bash(script: str) -> None:
    """The scripts use nothing that macOS lacks, with its bash 3.2 and its own tools."""
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True, timeout=30)
    newer = r"mapfile|readarray|declare -A|,,\}|\^\^\}|&>>|\|&|readlink -f|coproc"
    assert not re.findall(newer, re.sub(r"#.*", "", (ROOT / script).read_text()))


# Links


@needs_wheels
def test_what_is_not_its_own_is_left_alone_and_named(machine: Machine) -> None:
    """The user's files, folders and links stay. Those with the name of a command are named."""
    machine.commands.mkdir(parents=True)
    (machine.commands / "dive.md").write_text("mine")
    (machine.commands / "do.md").symlink_to(machine.home / "elsewhere.md")
    (machine.commands / "d.md").symlink_to(machine.clone / "commands/dive.md")
    (machine.home / "elsewhere.md").write_text("mine too")
    (machine.commands / "task.md").mkdir()
    (machine.commands / "other.md").write_text("not ours at all")
    before, project = photo(machine.home), machine.clone.with_name("project")
    (project / ".claude/commands").mkdir(parents=True)
    (project / ".claude/commands/dive.md").write_text("mine, and not hidden")
    done = machine.install(cwd=project)
    assert done.returncode == 1 and "Next:" in done.stdout and "Hidden: " not in done.stderr
    for name in ("dive.md", "do.md", "task.md"):
        assert f"Left alone: {machine.commands / name}" in done.stderr
    assert "other.md" not in done.stdout + done.stderr
    assert before.items() <= photo(machine.home).items()
    assert set(machine.sources()) - {"dive.md", "do.md", "task.md"} <= names(machine.commands)
    installs(machine, "--uninstall")
    assert photo(machine.home) == before


@needs_wheels
def test_what_has_the_name_of_a_command_is_named(machine: Machine, tmp_path: Path) -> None:
    """A skill that hides a command, and a project's command that a linked one hides."""
    skill, mine = machine.home / ".claude/skills/dive", tmp_path / "project/.claude/commands"
    for file in (skill / "SKILL.md", mine / "task.md"):
        file.parent.mkdir(parents=True)
        file.write_text("mine")
    done = machine.install(cwd=tmp_path / "project")
    hidden = [line for line in done.stderr.splitlines() if line.startswith("Hidden: ")]
    assert done.returncode == 0 and len(hidden) == 2 and links(machine)
    assert f"/dive is the skill {skill}" in hidden[0] and f"not {mine}/task.md" in hidden[1]
    assert all(line.endswith("install.sh --plugin") for line in hidden)
    assert machine.install(cwd=machine.home).stderr.count("Hidden: ") == 1


@needs_wheels
def test_for_the_plugin_no_command_is_linked(machine: Machine) -> None:
    """--plugin removes the linked commands and keeps `samocode`. The printed commands work with
    spaces in the path."""
    installs(machine)
    printed = installs(machine, "--plugin")
    assert names(machine.commands) == set() and (machine.home / ".local/bin/samocode").exists()
    typed = [shlex.split(line) for line in printed.splitlines() if "    claude " in line]
    assert [words[-1] for words in typed] == [str(machine.clone), "samocode@samocode"]


@needs_wheels
def test_links_follow_the_clone_and_leave_another_one_alone(machine: Machine) -> None:
    """After a move of the clone, the installation replaces all links. Links of another clone stay,
    even if that clone is now where this one was."""
    installs(machine)
    second = replace(machine, clone=copy_of(machine.clone, machine.clone.with_name("second")))
    before = photo(machine.home)
    fails(second)
    installs(second, "--uninstall")
    assert photo(machine.home) == before
    there = replace(machine, clone=machine.clone.rename(machine.clone.with_name("moved clone")))
    installs(there)
    assert links(there) == set(there.sources().values())
    assert (machine.home / ".local/bin/samocode").readlink() == there.clone / "main.py"
    back = replace(machine, clone=there.clone.rename(machine.clone.with_name("back again")))
    (there.clone / "commands").mkdir(parents=True)
    (there.clone / "commands/dive.md").touch()
    installs(back, "--uninstall")
    assert names(machine.commands) == {"dive.md"}


@needs_wheels
def test_the_config_dir_of_claude_is_used(machine: Machine, tmp_path: Path) -> None:
    """The commands are linked in CLAUDE_CONFIG_DIR. --uninstall finds them without the variable."""
    own = tmp_path / "its own"
    for value, meant in ((f"{own}/x", own / "x"), ("rel", machine.home / "rel")):
        installs(machine.knowing(CLAUDE_CONFIG_DIR=value))
        assert names(meant / "commands") == set(machine.sources())
    assert not (machine.home / ".claude").exists()
    installs(machine, "--uninstall")
    assert not own.exists() and names(machine.home) == set()


# The program `samocode`


@needs_wheels
def test_the_program_is_linked_and_taken_away(machine: Machine) -> None:
    """In ~/.local/bin or SAMOCODE_BIN. A file of that name is left alone, and another samocode that
    comes first on PATH is named."""
    done = machine.install()
    link, chosen = machine.home / ".local/bin/samocode", machine.bin / "samocode"
    assert link.readlink() == machine.clone / "main.py"
    assert f"samocode is linked in {link.parent}" in done.stdout
    assert f"{link.parent} is not on your PATH" in done.stderr
    there = machine.knowing(SAMOCODE_BIN=str(machine.bin))
    done = there.install()
    assert chosen.readlink() == link.readlink() and "your PATH" not in done.stderr
    installs(machine, "--uninstall")  # without the variable, too
    assert not chosen.is_symlink() and names(machine.home) == set()
    machine.executable("samocode", "exit 0")
    path = f"{machine.bin}:{link.parent}"
    assert f"{chosen} comes first on your PATH" in machine.knowing(PATH=path).install().stderr
    done = there.install()
    assert done.returncode == 1 and f"Left alone: {chosen}" in done.stderr
    assert "set SAMOCODE_BIN" in done.stderr and "--plugin" not in done.stderr
    assert chosen.read_text() == "#!/bin/sh\nexit 0\n"


@needs_wheels
def test_a_program_that_does_not_start_is_named(machine: Machine) -> None:
    """install.sh finds a python of another name, main.py only python3. The printed words start."""
    assert "does not start" not in machine.install().stderr
    (machine.bin / "python3").rename(machine.bin / "python3.12")
    said = machine.install().stderr
    assert "samocode does not start (" in said and "python3" in said
    (words,) = re.findall(r"or call (.*) instead", said)
    subprocess.run(["bash", "-c", words], check=True, capture_output=True, timeout=30)


@needs_wheels
def test_the_program_finds_its_python_and_is_in_what_it_prints(machine: Machine) -> None:
    """`samocode` runs by its link, even if the python on PATH has no packages, and the commands it
    prints use that name. SAMOCODE_BIN is a known variable."""
    shutil.copytree(ROOT / "samocode", machine.clone / "samocode")
    for name in ("main.py", "workflow.md"):
        shutil.copy(ROOT / name, machine.clone)
    environ = {"SAMOCODE_BIN": str(machine.bin), "HOME": str(machine.home)}
    machine.knowing(**environ).install()
    machine.executable("python3", f'exec "{sys.executable}" -S "$@"')
    project = machine.home / "project"
    project.mkdir()
    (project / ".samocode").write_text("MAIN_REPO=.\nWORKTREES=../trees\nSESSIONS=../sessions\n")

    def called(args: str, path: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [machine.bin / "samocode", *args.split()], env={"PATH": path, **environ}, cwd=project,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    for path, shown in ((machine.bin, "samocode"), (Path("/nowhere"), str(machine.clone))):
        run = "--session work --dive t --max-iterations 0"
        done = called(run, f"{path}:{os.environ['PATH']}")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert shown in done.stdout.partition("To go on: ")[2]
    said = called("--hepl", str(machine.bin))
    assert said.returncode == 2 and said.stderr.endswith("All flags: samocode --help\n")
