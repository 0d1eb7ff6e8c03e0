"""The command line, as a person or a parent Claude types it."""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode import __version__
from samocode.settings.flags import Options, parse
from samocode.settings.table import ENV_KEYS

ROOT = Path(__file__).parent.parent


def refused(argv: list[str], stdin: bytes = b"") -> str:
    """What a call that must end with 2 says, without the usage lines."""
    code = "import sys; from samocode.settings.flags import parse; parse(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], cwd=ROOT, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 2
    return done.stderr.decode().rpartition("main.py: error: ")[2]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("--session a", Options(session="a")),
        ("--session a --task 'b c' --dive d", Options(session="a", task="b c", dive="d")),
        ("--session a --task '- b\n- c'", Options(session="a", task="- b\n- c")),
        ("--session a --task=--b", Options(session="a", task="--b")),
        ("--session a --config p/.samocode", Options(session="a", config=Path("p/.samocode"))),
        ("--session a --timeout 1.5 --model x", Options(session="a", timeout=1.5, model="x")),
        ("--session a --max-iterations 0", Options(session="a", max_iterations=0)),
        ("--session a --max-cost 2.50", Options(session="a", max_cost=2.5)),
        ("--session a --on-wait exit -y", Options(session="a", on_wait="exit", yes=True)),
        ("--demo", Options(demo=True)),
        ("--demo --yes", Options(demo=True, yes=True)),
        ("--check-signal /s", Options(check_signal=Path("/s"))),
    ],
)
def test_flags(line: str, options: Options) -> None:
    assert parse(shlex.split(line)) == options


@pytest.mark.parametrize(
    ("piped", "task"),
    [
        (b"add a button\n", "add a button"),
        ("\ufeffzażółć\r\nb\r\n\n".encode(), "zażółć\r\nb"),
        (b"  indented\n  too", "  indented\n  too"),
    ],
)
def test_a_dash_reads_the_task_from_standard_input(piped: bytes, task: str) -> None:
    assert parse(["--session", "a", "--task", "-"], io.BytesIO(piped)).task == task


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
        (f"--session a --timeout {'9' * 5000}", r"'9{57}\.\.\.' is not"),
        ("--session a --max-iterations -1", "'-1' is not a whole number from 0 up"),
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
def test_wrong_usage_ends_with_2_and_a_remedy(line: str, says: str) -> None:
    said = refused(shlex.split(line))
    assert re.search(says, said)
    assert len(said.splitlines()) == 1


def test_text_that_is_no_utf_8_is_refused() -> None:
    assert "not UTF-8" in refused(["--session", "a", "--task", "-"], b"caf\xe9")
    assert "not UTF-8" in refused(["--session", "a", "--task", "caf\udce9"])


def test_standard_input_may_be_closed() -> None:
    command = shlex.join(
        [
            sys.executable,
            "-c",
            "from samocode.settings.flags import parse; parse(['--session', 'a', '--task', '-'])",
        ]
    )
    done = subprocess.run(f"{command} <&-", shell=True, cwd=ROOT, capture_output=True, check=False)  # noqa: S602 - a fixed line
    assert done.returncode == 2
    assert b"nothing came on standard input" in done.stderr


def test_wrong_usage_does_not_wait_for_standard_input() -> None:
    """A parent that pipes and forgets --session hears it before the pipe ends."""
    code = "from samocode.settings.flags import parse; parse(['--task', '-'])"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
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
    words = " ".join(capsys.readouterr().out.split())
    for code in (0, 1, 2, 3, 4, 5, 130, 143):
        assert re.search(rf" {code} [a-z]", words.partition("exit codes:")[2])
    for key in ENV_KEYS:
        if key.name in words:
            assert f"{key.name} ({key.default or 'none'})" in words
    examples = re.findall(
        r"main\.py (--session .*?)(?= main\.py|$)", words.partition("examples:")[2]
    )
    assert len(examples) == 2
    assert parse(shlex.split(examples[0])).task == "Add JWT login"


@given(
    st.lists(st.sampled_from(["--session", "--task", "--timeout", "--max-cost", "-y"]) | st.text())
)
def test_whatever_is_typed_is_understood_or_ends_with_2(argv: list[str]) -> None:
    try:
        parse(argv, io.BytesIO(b"task"))
    except SystemExit as ended:
        assert ended.code in (0, 2)
