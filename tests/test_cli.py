"""The command line, as a person or a parent Claude types it."""

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode import __version__
from samocode.settings.flags import parse, resume_command, words
from samocode.settings.sources import Layer
from samocode.settings.table import RunTable
from tests.harness import Project
from tests.place import RUN, Place, made

ROOT = Path(__file__).parent.parent


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return made(tmp_path.resolve())


def refused(place: Place, argv: list[str], stdin: bytes = b"") -> str:
    """What a call that must end with 2 says, without the usage lines."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *argv], cwd=place.folder, input=stdin,
        env=place.environ | {"IS_SANDBOX": "1"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert not (place.folder / "sessions").exists()
    return re.sub(r"(?s)^usage: .*main.py: error: ", "", done.stderr.decode())


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("--session a", {"--session": "a"}),
        ("--session a --task 'b c' --dive d", RUN | {"--task": "b c", "--dive": "d"}),
        ("--session a --task '- b\n- c'", RUN | {"--task": "- b\n- c"}),
        ("--session a --task=--b", RUN | {"--task": "--b"}),
        ("--session a --max-iterations 0", RUN | {"--max-iterations": "0"}),
        ("--session a --on-wait exit -y", RUN | {"--on-wait": "exit", "--yes": "yes"}),
        ("--demo", {"--demo": "yes"}),
        ("--demo --yes", {"--demo": "yes", "--yes": "yes"}),
        ("--check-signal /s", {"--check-signal": "/s"}),
    ],
)
def test_flags(line: str, flags: Mapping[str, str]) -> None:
    assert parse(shlex.split(line)) == flags


def test_every_flag_arrives(place: Place) -> None:
    argv = (
        "--session a --task b --dive c --timeout 1.5 --model x --max-iterations 3 --max-cost 2.50"
    )
    got = place.load(parse([*argv.split(), "--on-wait", "exit", "-y", "--config", ".."]))
    assert (got.session, words(got)) == ("a", {"dive": "c", "task": "b"})
    assert (got.timeout, got.model, got.max_iterations, got.max_cost) == (1.5, "x", 3, 2.5)
    assert (got.on_wait, got.yes, got.project.file.samefile(place.dots)) == ("exit", True, True)


def test_the_command_that_goes_on_repeats_what_was_given(place: Place) -> None:
    """Not the words, which are on record; not --yes and --max-iterations 0, meant for one run."""
    given = shlex.split("--session a --task b --dive c -y --max-cost 2.50 --timeout 60 --model x")
    command = shlex.split(resume_command(place.load(parse(given)), "26-a", cost_reached=False))
    assert command[:2] == [sys.executable, str(ROOT / "main.py")]
    again = {"--session": "26-a", "--config": str(place.dots), "--timeout": "60"}
    assert parse(command[2:]) == {**again, "--model": "x", "--max-cost": "2.50"}
    looked = place.load({**RUN, "--max-iterations": "0"})
    assert "--max-iterations" not in resume_command(looked, "26-a", cost_reached=False)


@pytest.mark.parametrize(
    ("piped", "task"),
    [
        (b"add a button\n", "add a button"),
        ("\ufeffzażółć\r\nb\r\n\n".encode(), "zażółć\r\nb"),
        (b"  indented\n  too", "  indented\n  too"),
    ],
)
def test_a_dash_reads_the_task_from_standard_input(
    place: Place, monkeypatch: pytest.MonkeyPatch, piped: bytes, task: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    assert words(place.load({**RUN, "--task": "-"})) == {"task": task}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "--session NAME.*--demo"),
        ("--task b", "--session NAME"),
        ("--demo --session a", "keep one"),
        ("--demo --task a", "--session NAME"),
        ("--check-signal d --demo", "keep one"),
        ("--session a --task ''", "--task: the text is empty.*leave the flag out"),
        ("--session a --dive ' \n'", "--dive: the text is empty"),
        ("--session ''", "--session: the text is empty"),
        ("--session a --config ''", "--config: the text is empty"),
        ("--session a --model ''", "--model: the text is empty"),
        ("--session a --task -", "--task: nothing came on standard input: pipe"),
        ("--session a --timeout 0", "--timeout: '0' is not a number of seconds above 0.*1800"),
        ("--session a --timeout -5", "'-5' is not a number of seconds"),
        ("--session a --timeout nan", "'nan' is not a number of seconds"),
        ("--session a --timeout inf", "'inf' is not a number of seconds"),
        ("--session a --timeout 1_0", "'1_0' is not a number of seconds"),
        ("--session a --timeout 30m", "'30m' is not a number of seconds"),
        ("--session a --timeout 604801", r"at most 604800 \(a week\)"),
        (f"--session a --timeout {'9' * 5000}", "'9{59} is not"),
        ("--session a --max-iterations -1", "'-1' is not a whole number, such as 100"),
        (f"--session a --max-iterations {'9' * 5000}", "is not a whole number"),
        ("--session a --max-iterations 1.5", "'1.5' is not a whole number"),
        ("--session a --max-iterations ٣", "is not a whole number"),
        ("--session a --max-cost 0", "'0' is not a number of dollars above 0, such as 20"),
        ("--session a --max-cost $5", "is not a number of dollars"),
        ("--session a --on-wait stop", "pause.*exit"),
        ("--sess a", "--session NAME|unrecognized arguments: --sess"),
        ("--session a --max-iter 3", "unrecognized arguments: --max-iter 3"),
        ("--session a b", "unrecognized arguments: b"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_remedy(place: Place, line: str, says: str) -> None:
    said = refused(place, shlex.split(line))
    assert re.search(says, said)
    assert len(said.splitlines()) == 1


def test_text_that_is_no_utf_8_is_refused(place: Place) -> None:
    assert "not UTF-8" in refused(place, ["--session", "a", "--task", "-"], b"caf\xe9")
    assert "not UTF-8" in refused(place, ["--session", "a", "--task", "caf\udce9"])


def test_standard_input_may_be_closed(place: Place) -> None:
    command = shlex.join([sys.executable, str(ROOT / "main.py"), "--session", "a", "--task", "-"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {command} <&-"],
        cwd=place.folder, env=place.environ | {"IS_SANDBOX": "1"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"nothing came on standard input" in done.stderr


@pytest.mark.parametrize("argv", ["--task -", "--session a --task - --timeout x"])
def test_wrong_usage_does_not_wait_for_standard_input(place: Place, argv: str) -> None:
    """A parent that pipes and forgets --session hears it before the pipe ends."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *argv.split()], cwd=place.folder,
        env=place.environ, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        assert child.wait(20) == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"samocode {__version__}\n"


def test_help_is_complete_and_true(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for code in (0, 1, 2, 3, 4, 5, 130, 143):
        assert re.search(rf" {code} [a-z]", shown.partition("exit codes:")[2])
    for row in RunTable.rows().values():
        if row.flag and row.key:
            assert f"{row.meaning}; {row.key} ({row.default or 'none'}) " in shown
        elif row.flag:
            assert row.meaning in shown
    examples = re.findall(
        r"main\.py (--session .*?)(?= main\.py|$)", shown.partition("examples:")[2]
    )
    assert len(examples) == 2
    assert parse(shlex.split(examples[0]))["--task"] == "Add JWT login"


@given(
    st.lists(st.sampled_from(["--session", "--task", "--timeout", "--max-cost", "-y"]) | st.text())
)
def test_whatever_is_typed_is_understood_or_ends_with_2(argv: list[str]) -> None:
    problems: list[str] = []
    try:
        RunTable((Layer("command line", parse(argv)),), problems)
    except SystemExit as ended:
        assert ended.code in (0, 2)
    assert all(problems)


@pytest.mark.parametrize(
    "variable",
    ["PYTHONSAFEPATH=1", "PYTHONWARNINGS=error", "PYTHONOPTIMIZE=2", "PYTHONIOENCODING=ascii"],
)
def test_a_variable_for_the_users_python_changes_nothing(place: Place, variable: str) -> None:
    """Python's own, for main.py and for the Stop hook."""
    name, _, value = variable.partition("=")
    environ = place.environ | {name: value, "IS_SANDBOX": "1"}
    for argv, code, says in (
        (["--version"], 0, f"samocode {__version__}"),
        (["--check-signal", "."], 1, f"{place.folder} is no session."),
        (["--check-signal=."], 1, f"{place.folder} is no session."),
        (["--session", "a"], 2, "samocode: There is no session 'a'. To begin it, add --task"),
    ):
        done = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), *argv], cwd=place.folder, env=environ,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code and done.stdout.startswith(says), done.stdout
        assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(("argv", "code"), [("--version", 0), ("--session a --task b", 2)])
def test_a_folder_that_was_removed(place: Place, argv: str, code: int) -> None:
    """The shell is still in it."""
    gone = place.folder / "gone"
    gone.mkdir()
    command = f'rmdir "$PWD" && exec {sys.executable} {ROOT}/main.py {argv}'
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=gone, env=place.environ | {"PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    said = "samocode: The folder of this shell was removed: cd to one that exists.\n"
    assert done.stderr == (said if code else "")


def test_the_loop_needs_neither_folder_nor_tmpdir_of_its_shell(tmp_path: Path, repo: Path) -> None:
    """Both may be gone after a logout, while it runs."""
    project = Project(tmp_path, repo)
    shell = tmp_path / "shell"
    (shell / "tmp").mkdir(parents=True)
    project.extra["TMPDIR"] = "tmp"
    leave = f"import shutil; shutil.rmtree({str(shell)!r}); write('x'); signal('continue')"
    look = "import tempfile; tempfile.mkstemp(); signal('done', summary='s')"
    project.script(leave, look)
    ended = subprocess.run(
        project.command("--task", "t"), env=project.environ(), cwd=shell, capture_output=True,
        text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
