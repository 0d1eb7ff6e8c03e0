"""The command line, as a person or a parent Claude types it."""

import io
import os
import re
import shlex
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode import __version__
from samocode.settings.flags import parse, resume_command, user_texts
from samocode.settings.sources import Layer
from samocode.settings.table import RunTable
from tests.outer.stage import ROOT, Stage
from tests.place import RUN, Place
from tests.prompts import help_text


def called(place: Place, argv: str, before: str = "exec", **variable: str) -> tuple[int, str]:
    """Run main.py in a shell, after `before`. Return the exit code and all output."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{before} {sys.executable} {ROOT}/main.py {argv}"],
        cwd=place.folder, env=place.environ | {"IS_SANDBOX": "1", **variable}, input=b"",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
    )  # fmt: skip
    assert not (place.folder / "sessions").exists()
    return done.returncode, done.stdout.decode()


def test_every_flag_arrives(place: Place) -> None:
    line = "--session a --task '- b\n- c' --dive=--d --timeout 1.5 --model x --max-iterations 3"
    more = "--max-cost 2.50 --on-wait exit -y --config .."
    got = place.load(parse(shlex.split(f"{line} {more}")))
    assert (got.session, user_texts(got)) == ("a", {"dive": "--d", "task": "- b\n- c"})
    assert (got.timeout, got.model, got.max_iterations, got.max_cost) == (1.5, "x", 3, 2.5)
    assert (got.on_wait, got.yes, got.project.file.samefile(place.dots)) == ("exit", True, True)
    assert parse(["--demo", "--yes"]) == {"--demo": "yes", "--yes": "yes"}
    for check in (["--check-signal", "/s"], ["--check-signal=/s"]):
        assert parse(check) == {"--check-signal": "/s"}


def test_the_resume_command_repeats_what_was_given(place: Place) -> None:
    """Without --task and --dive, which are on record, and --yes and --max-iterations 0, which are
    meant for one run."""
    given = shlex.split("--session a --task b --dive c -y --max-cost 2.50 --timeout 60 --model x")
    given += ["--config", str(place.dots)]
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
    assert user_texts(place.load({**RUN, "--task": "-"})) == {"task": task}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--check-signal d --demo", "keep one"),
        ("--status --task b", "--status takes no --task"),
        ("--json", "--json needs --status"),
        ("--session a --dive ' \n'", "--dive: the text is empty"),
        ("--session a --task -", "--task: nothing came on standard input: pipe"),
        ("--session a --task - <latin-1", "not UTF-8"),
        ("--session a --task $(printf 'caf\\351')", "not UTF-8"),
        ("--session a --timeout 0", "--timeout: '0' is not a number of seconds above 0.*1800"),
        ("--session a --on-wait stop", "pause.*exit"),
        ("--session a --max-iter 3", r"unknown: --max-iter \(nearest: --max-iterations\)"),
        ("--session a b", "unknown: b .each text needs"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_remedy(place: Place, line: str, says: str) -> None:
    """The message is one line."""
    (place.folder / "latin-1").write_bytes(b"caf\xe9")
    code, said = called(place, line)
    assert code == 2 and re.search(says, said) and said.count("\n") == 1, said


@pytest.mark.parametrize("argv", ["--status --task -", "--session a --task - --timeout x"])
def test_wrong_usage_does_not_wait_for_standard_input(place: Place, argv: str) -> None:
    """A parent that pipes a task gets the error before the pipe ends."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *argv.split()], cwd=place.folder,
        env=place.environ, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        assert child.wait(60) == 2


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("--timeout", "nan", "'nan' is not a number of seconds"),
        ("--timeout", "1e400", "'1e400' is not a number of seconds"),
        ("--timeout", "604801", r"at most 604800 \(a week\)"),
        ("--timeout", "9" * 5000, "'9{59} is not"),
        ("--max-iterations", "-1", "'-1' is not a whole number, such as 100"),
        ("--max-iterations", "٣", "is not a whole number"),
        ("--max-cost", "0", "'0' is not a number of dollars above 0, such as 20"),
        ("--max-cost", "$5", "is not a number of dollars"),
    ],
)
def test_a_wrong_number(place: Place, flag: str, value: str, says: str) -> None:
    (problem,) = place.problems({**RUN, flag: value})
    assert re.search(f"{flag}: .*{says}", problem)


def test_help_is_complete_and_true() -> None:
    """--help has every flag with its default, its examples parse, and it fits on one screen."""
    printed = help_text()
    assert printed.count("\n") < 48
    shown = " ".join(printed.split())
    for row in RunTable.rows().values():
        if row.flag and row.flag != "--check-signal":
            assert row.meaning + (f" ({row.default})" if row.default else "") in shown
    examples = [
        parse(shlex.split(each))
        for each in re.findall(r"^  main\.py (--.*?)(?:  |$)", printed, re.M)
    ]
    assert [each.get("--task") for each in examples] == ["Add JWT login", None]


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
    ["LANG=C", "PYTHONSAFEPATH=1", "PYTHONWARNINGS=error", "PYTHONOPTIMIZE=2",
        "PYTHONIOENCODING=ascii"],
)  # fmt: skip
def test_a_variable_for_the_users_python_changes_nothing(place: Place, variable: str) -> None:
    """Neither the loop's messages nor the Stop hook's."""
    for argv, code, says in (
        ("--version", 0, f"samocode {__version__}\n"),
        ("--check-signal .", 1, f"{place.folder} is not a session."),
        ("--session a", 2, "samocode: There is no session 'a'. To begin it, add --task"),
    ):
        ended, printed = called(place, argv, **dict([variable.split("=")]))
        assert ended == code and printed.startswith(says) and printed.count("\n") == 1, printed


def test_a_folder_that_was_removed(place: Place) -> None:
    """A run fails with one sentence. --version works."""
    gone = 'mkdir gone && cd gone && rmdir "$PWD" && exec'
    said = "samocode: The folder of this shell was removed: cd to one that exists.\n"
    for argv, wanted in (
        ("--version", (0, f"samocode {__version__}\n")), ("--session a --task b", (2, said)),
    ):  # fmt: skip
        assert called(place, argv, gone, PATH=os.environ["PATH"]) == wanted


def test_the_loop_needs_neither_folder_nor_tmpdir_of_its_shell(stage: Stage) -> None:
    """They may disappear while it runs, as after a logout."""
    shell = stage.folder / "shell"
    (shell / "tmp").mkdir(parents=True)
    stage.extra["TMPDIR"] = "tmp"
    leave = f"import shutil; shutil.rmtree({str(shell)!r}); write('x'); signal('continue')"
    look = "import tempfile; tempfile.mkstemp(); signal('done', summary='s')"
    stage.script(leave, look)
    ended = stage.begin(before=["env", "-C", str(shell)])
    assert (ended.code, ended.err) == (0, ""), ended.out
