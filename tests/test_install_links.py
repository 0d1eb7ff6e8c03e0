"""install.sh's links: only its own are made, mended and removed."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.machine import ROOT, Machine, copy_of, names, needs_wheels, tree


@needs_wheels
def test_what_is_not_its_own_is_left_alone_and_told(machine: Machine) -> None:
    machine.commands.mkdir(parents=True)
    (machine.commands / "dive.md").write_text("mine")
    (machine.commands / "do.md").symlink_to(machine.home / "elsewhere.md")
    (machine.home / "elsewhere.md").write_text("mine too")
    (machine.commands / "task.md").mkdir()
    (machine.commands / "other.md").write_text("not ours at all")
    before = tree(machine.home)
    done = machine.install()
    assert done.returncode == 1
    for name in ("dive.md", "do.md", "task.md"):
        assert f"Left alone: {machine.commands / name}" in done.stderr
    assert "other.md" not in done.stdout + done.stderr
    assert before.items() <= tree(machine.home).items()
    linked = {file.name for file in machine.commands.iterdir() if file.is_symlink()}
    assert linked == set(machine.sources()) - {"dive.md", "task.md"}
    assert "Next:" in done.stdout


@needs_wheels
def test_a_link_to_a_command_that_is_gone_is_removed(machine: Machine) -> None:
    machine.install()
    (machine.clone / "commands/dive.md").unlink()
    done = machine.install()
    assert done.returncode == 0
    assert names(machine.commands) == set(machine.sources())


@needs_wheels
def test_links_of_a_moved_clone_are_told_and_the_told_command_helps(machine: Machine) -> None:
    machine.install()
    moved = replace(machine, clone=machine.clone.rename(machine.clone.with_name("moved clone")))
    shutil.rmtree(moved.clone / ".cache")  # else it knows where it lay
    before = tree(machine.home)
    done = moved.install()
    assert done.returncode == 1
    assert tree(machine.home) == before
    assert f"{machine.clone}/commands/dive.md, which is gone" in done.stderr
    remedy = done.stderr.split("Then run: ")[1].split(";")[0]
    subprocess.run(["bash", "-c", remedy], check=True)
    assert moved.install().returncode == 0
    assert all(file.exists() for file in machine.commands.iterdir())


@needs_wheels
def test_a_moved_clone_takes_its_old_links_away(machine: Machine) -> None:
    """And makes them anew where it is run again."""
    before = tree(machine.home)
    machine.install()
    moved = replace(machine, clone=machine.clone.rename(machine.clone.with_name("moved clone")))
    assert moved.install().returncode == 0
    links = {file.readlink() for file in machine.commands.iterdir()}
    assert links == set(moved.sources().values())
    again = replace(machine, clone=moved.clone.rename(machine.clone.with_name("moved again")))
    assert again.install("--uninstall").returncode == 0
    assert tree(machine.home) == before


@needs_wheels
def test_a_moved_clone_leaves_the_links_of_one_that_lies_there_now(machine: Machine) -> None:
    machine.install()
    moved = replace(machine, clone=machine.clone.rename(machine.clone.with_name("moved clone")))
    (machine.clone / "commands").mkdir(parents=True)
    (machine.clone / "commands" / "dive.md").touch()
    assert moved.install("--uninstall").returncode == 0
    assert names(machine.commands) == {"dive.md"}


@needs_wheels
def test_links_of_another_clone_are_left_alone(machine: Machine) -> None:
    machine.install()
    second = replace(machine, clone=copy_of(machine.clone, machine.clone.with_name("second")))
    before = tree(machine.home)
    assert second.install().returncode == 1
    assert second.install("--uninstall").returncode == 0
    assert tree(machine.home) == before


@needs_wheels
def test_the_config_dir_of_claude_is_honoured(machine: Machine, tmp_path: Path) -> None:
    for given, meant in (("/its own/x", tmp_path / "its own/x"), ("rel", machine.home / "rel")):
        value = f"{tmp_path}{given}" if given.startswith("/") else given
        assert machine.knowing(CLAUDE_CONFIG_DIR=value).install().returncode == 0
        assert names(meant / "commands") == set(machine.sources())
    assert not (machine.home / ".claude").exists()
    done = machine.install("--uninstall")  # without the variable: it knows what it made
    assert done.returncode == 0
    assert not (tmp_path / "its own").exists()
    assert names(machine.home) == set()


@needs_wheels
def test_uninstall_removes_exactly_what_was_made(machine: Machine) -> None:
    before = tree(machine.home)
    clone = names(machine.clone) - {".venv"}
    machine.install()
    (machine.clone / ".demo/0108-110000").mkdir(parents=True)  # as `--demo` leaves it
    done = machine.install("--uninstall")
    assert done.returncode == 0, done.stderr
    assert tree(machine.home) == before
    assert names(machine.clone) == clone
    assert machine.install("--uninstall").returncode == 0


@needs_wheels
def test_uninstall_keeps_what_others_put_there(machine: Machine) -> None:
    machine.commands.mkdir(parents=True)
    (machine.commands / "dive.md").write_text("mine")
    (machine.commands / "d.md").symlink_to(machine.clone / "commands/dive.md")
    before = tree(machine.home)
    machine.install()
    machine.install("--uninstall")
    assert tree(machine.home) == before


@needs_wheels
def test_uninstall_keeps_a_folder_that_was_there(machine: Machine) -> None:
    machine.commands.mkdir(parents=True)
    machine.install()
    machine.install("--uninstall")
    assert machine.commands.is_dir()


@needs_wheels
def test_the_short_command_is_linked_and_taken_away(machine: Machine) -> None:
    """Into ~/.local/bin or where SAMOCODE_BIN says; what else has its name is left alone."""
    done = machine.install()
    link = machine.home / ".local/bin/samocode"
    assert link.readlink() == machine.clone / "main.py"
    assert f"samocode is linked in {link.parent}" in done.stdout
    assert f"{link.parent} is not on your PATH" in done.stderr
    there = machine.knowing(SAMOCODE_BIN=str(machine.bin))
    done = there.install()
    assert (
        machine.bin / "samocode"
    ).readlink() == link.readlink() and "your PATH" not in done.stderr
    moved = replace(machine, clone=machine.clone.rename(machine.clone.with_name("moved clone")))
    assert moved.install().returncode == 0 and link.readlink() == moved.clone / "main.py"
    assert moved.install("--uninstall").returncode == 0  # without the variable, too
    assert not link.is_symlink() and not (machine.bin / "samocode").is_symlink()
    assert names(machine.home) == set()
    (machine.bin / "samocode").write_text("mine")
    done = replace(there, clone=moved.clone).install()
    assert done.returncode == 1 and f"Left alone: {machine.bin / 'samocode'}" in done.stderr
    assert (machine.bin / "samocode").read_text() == "mine"


@needs_wheels
def test_the_short_command_finds_its_python_and_is_in_what_it_prints(machine: Machine) -> None:
    """By its link, with a python on PATH that has none of the packages. SAMOCODE_BIN is no
    unknown setting."""
    shutil.copytree(ROOT / "samocode", machine.clone / "samocode")
    for name in ("main.py", "workflow.md"):
        shutil.copy(ROOT / name, machine.clone)
    there = machine.knowing(SAMOCODE_BIN=str(machine.bin))
    there.install()
    machine.executable("python3", f'exec "{sys.executable}" -S "$@"')
    project = machine.home / "project"
    project.mkdir()
    (project / ".samocode").write_text("MAIN_REPO=.\nWORKTREES=../trees\nSESSIONS=../sessions\n")
    for path, shown in ((machine.bin, "samocode"), (Path("/nowhere"), str(machine.clone))):
        done = subprocess.run(
            [machine.bin / "samocode", "--session", "work", "--dive", "t", "--max-iterations", "0"],
            env={"PATH": f"{path}:{os.environ['PATH']}", "HOME": str(machine.home),
                 "SAMOCODE_BIN": str(machine.bin)},
            cwd=project, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert shown in done.stdout.partition("To go on: ")[2]
    said = subprocess.run(
        [machine.bin / "samocode"], env={"PATH": str(machine.bin)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert said.returncode == 2 and said.stderr.startswith("usage: samocode --session NAME")
