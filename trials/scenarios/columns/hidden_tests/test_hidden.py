"""What the task says, on the program as it was committed."""

import os
import re
import subprocess
from pathlib import Path

import pytest

CODE = Path(os.environ["PYTHONPATH"])


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    subprocess.run(["make", "columns"], cwd=CODE, check=True, capture_output=True)


def columns(fields: str, text: str, *more: str) -> "subprocess.CompletedProcess[str]":
    command = ["./columns", "-d", ":", "-f", fields, *more]
    return subprocess.run(
        command, cwd=CODE, input=text, capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize(
    ("fields", "line", "out"),
    [
        ("2", "a:b:c", "b"),
        ("2", "a", ""),
        ("1,3", "a:b:c", "a:c"),
        ("3,1", "a:b:c", "c:a"),
        ("2,2,2", "a:b:c", "b:b:b"),
        ("2-3", "a:b:c:d", "b:c"),
        ("3-", "a:b:c:d", "c:d"),
        ("-2", "a:b:c", "a:b"),
        ("2-2", "a:b:c", "b"),
        ("2-,1", "a:b:c", "b:c:a"),
        ("3,1,5-7,9-", "1:2:3:4:5:6:7:8:9:10", "3:1:5:6:7:9:10"),
        ("1,5,2", "a:b", "a:b"),
        ("5,1", "a:b", "a"),
        ("4-6,1", "a:b", "a"),
        ("7-", "a:b", ""),
        ("1-9", "a:b", "a:b"),
        ("1,2,3", "a::c", "a::c"),
        ("2,1", ":x", "x:"),
        ("1-", "", ""),
        ("99999999,1", "a:b", "a"),
    ],
)
def test_lists(fields: str, line: str, out: str) -> None:
    done = columns(fields, line + "\n")
    assert (done.returncode, done.stdout) == (0, out + "\n")


@pytest.mark.parametrize(
    "fields", ["", ",", "1,", ",1", "1,,2", "-", "0", "0-2", "3-2", "x", "1-x", "1;2", "1-2-3", "1.5"]
)
def test_wrong_usage(fields: str) -> None:
    done = columns(fields, "a:b\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage" in done.stderr


def test_long_lines_and_lists() -> None:
    line = ":".join(str(n) for n in range(1, 20001))
    assert columns(",".join(["20000", "1"] * 3000), line + "\n").stdout == (
        ":".join(["20000", "1"] * 3000) + "\n"
    )
    assert columns("1-", line + "\n").stdout == line + "\n"


def test_no_newline_at_the_end_and_several_lines() -> None:
    assert columns("2,1", "a:b\nc:d").stdout == "b:a\nd:c\n"


def test_a_missing_file_is_an_error_as_before() -> None:
    assert columns("1,2", "", "/nonexistent").returncode == 1


def test_the_readme_tells() -> None:
    assert re.search(r"\d-|range", (CODE / "README.md").read_text())
