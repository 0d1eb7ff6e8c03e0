"""install.sh, really run: python, .venv and what it says. Its links: test_install_links.py."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine import ROOT, Machine, names, needs_wheels, tree

SCRIPTS = ("install.sh", "tests/run", ".ci/run")


@needs_wheels
def test_the_first_run_sets_everything_up(installed: Machine) -> None:
    assert {file.name: file.readlink() for file in installed.commands.iterdir()} == (
        installed.sources()
    )
    assert {path.name for path in installed.home.iterdir()} == {".claude", ".local"}
    python = installed.clone / ".venv/bin/python"
    subprocess.run([python, "-c", "import dotenv, requests"], check=True)


@needs_wheels
def test_a_second_run_changes_nothing_and_needs_no_network(installed: Machine) -> None:
    before = tree(installed.home)
    offline = installed.knowing(PIP_FIND_LINKS="/nowhere")
    done = offline.install()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Installing" not in done.stdout
    assert tree(installed.home) == before


@needs_wheels
def test_the_last_lines_say_what_to_do_next(machine: Machine) -> None:
    words = machine.install().stdout
    assert f"{len(machine.sources())} commands are linked in {machine.commands}" in words
    for key in ("MAIN_REPO=", "WORKTREES=", "SESSIONS="):
        assert key in words.split("Next:")[1]
    assert "Run samocode with a dive into" in words.split("Next:")[1]


@needs_wheels
def test_it_works_through_a_link_and_from_anywhere(machine: Machine, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "first").symlink_to("../my clone/install.sh")
    (links / "setup").symlink_to("first")
    assert machine.install(script=links / "setup", cwd=Path("/")).returncode == 0
    targets = {file.readlink() for file in machine.commands.iterdir()}
    assert targets == set(machine.sources().values())


@needs_wheels
def test_a_venv_whose_python_is_gone_is_made_again(machine: Machine) -> None:
    python = machine.clone / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    done = machine.install()
    assert done.returncode == 0, done.stderr
    assert "Making .venv" in done.stdout


@needs_wheels
def test_changed_requirements_are_installed(machine: Machine) -> None:
    requirements = machine.clone / "requirements.txt"
    requirements.write_text(requirements.read_text() + "idna\n")
    assert "Installing" in machine.install().stdout
    assert "Installing" not in machine.install().stdout


@needs_wheels
def test_a_venv_of_the_user_is_used_and_kept(machine: Machine) -> None:
    (machine.clone / ".venv/.samocode").unlink()
    assert machine.install().returncode == 0
    assert machine.install("--uninstall").returncode == 0
    assert (machine.clone / ".venv/bin/python").exists()


def test_a_broken_venv_of_the_user_is_left_alone(bare: Machine) -> None:
    (bare.clone / ".venv").mkdir()
    (bare.clone / ".venv/notes").write_text("mine")
    done = bare.install()
    assert done.returncode == 1
    assert "did not make it. Move it away" in done.stderr
    assert names(bare.clone / ".venv") == {"notes"}


def test_without_python_it_says_where_to_get_one(bare: Machine) -> None:
    """The shims of pyenv are there and fail."""
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        bare.executable(name, "echo pyenv: version not installed >&2; exit 127")
    before = tree(bare.clone)
    done = bare.install()
    assert done.returncode == 1
    assert "No Python 3.11 or newer was found" in done.stderr
    assert "https://www.python.org/downloads/" in done.stderr
    assert "pyenv" not in done.stderr
    assert tree(bare.clone) == before
    assert names(bare.home) == set()


def test_cdpath_leads_nowhere(bare: Machine) -> None:
    folder = bare.clone.parent
    script = bare.clone.relative_to(folder) / "install.sh"
    done = bare.knowing(CDPATH=f"/:{folder}").install(script=script, cwd=folder)
    assert f"in {bare.clone}/.env\n" in done.stderr


def test_a_python_that_is_too_old_is_no_python(bare: Machine) -> None:
    bare.executable("python3", f"""exec "{sys.executable}" -c 'import sys; sys.exit(1)'""")
    assert "No Python 3.11 or newer was found" in bare.install().stderr


def test_debians_missing_package_is_named(bare: Machine) -> None:
    bare.executable(
        "python3", f'case $* in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"'
    )
    done = bare.install()
    assert done.returncode == 1
    assert "sudo apt install python3-venv" in done.stderr
    assert names(bare.home) == set()


@needs_wheels
def test_a_failing_shim_does_not_hide_a_good_python(bare: Machine) -> None:
    good = bare.executable("python3", f'exec "{sys.executable}" "$@"')
    good.rename(bare.bin / "python3.12")
    bare.executable("python3", "exit 127")
    assert bare.install("--demo").stdout.endswith("main.py --demo\n")


def test_an_index_that_cannot_be_reached_is_told(bare: Machine) -> None:
    dead = bare.knowing(PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_RETRIES="1").knowing(
        PIP_INDEX_URL="http://127.0.0.1:9/simple"
    )
    done = dead.install()
    assert done.returncode == 1
    assert "pip could not reach its package index" in done.stderr.splitlines()[-1]
    assert names(bare.home) == set()


@needs_wheels
def test_claude_is_looked_for_and_its_absence_is_no_failure(machine: Machine) -> None:
    done = machine.install()
    assert done.returncode == 0
    assert "claude was not found" in done.stderr
    assert "https://code.claude.com" in done.stderr
    claude = machine.executable("claude", "exit 1")
    assert f"claude: {claude}" in machine.install().stdout
    elsewhere = machine.knowing(CLAUDE_PATH="/nowhere/claude").install()
    assert "claude was not found (/nowhere/claude)" in elsewhere.stderr


@needs_wheels
def test_the_demo_needs_no_claude_and_makes_no_link(bare: Machine) -> None:
    done = bare.install("--demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("main.py --demo\n")
    assert "claude" not in done.stderr
    assert names(bare.home) == set()


def test_help_and_wrong_usage(bare: Machine) -> None:
    done = bare.install("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(flag in done.stdout for flag in ("--demo", "--uninstall", "--help"))
    for wrong in (("--dmeo",), ("--demo", "--help"), ("demo",)):
        done = bare.install(*wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Usage: ./install.sh" in done.stderr
    assert names(bare.home) == set()


@needs_wheels
def test_a_file_where_the_folder_should_be_is_told(machine: Machine) -> None:
    (machine.home / ".claude").write_text("not a folder")
    done = machine.install()
    assert done.returncode == 1
    assert f"{machine.home}/.claude could not be made: mkdir: " in done.stderr
    assert done.stderr.endswith("File exists\n"), "the cause is the system's own word"
    assert tree(machine.home) == {".claude": "not a folder"}


def test_a_python_without_the_packages_is_told_what_to_run(tmp_path: Path) -> None:
    clone = tmp_path / "my clone"
    shutil.copytree(ROOT / "samocode", clone / "samocode")
    shutil.copy(ROOT / "main.py", clone)
    words = [sys.executable, "-S", str(clone / "main.py"), "--version"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "samocode: it needs packages that this python lacks (dotenv, requests). "
        f"Run: '{clone}/install.sh'\n"
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_are_executable_bash(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True, timeout=30)
    newer = r"mapfile|readarray|declare -A|,,\}|\^\^\}|&>>|\|&|readlink -f|coproc"
    text = re.sub(r"#.*", "", (ROOT / script).read_text())
    assert not re.findall(newer, text), "macOS has bash 3.2 and its own tools"
