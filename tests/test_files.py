"""Files that others may damage: bounded reads, atomic writes, durable appends."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from samocode.record import files
from tests.outer.stage import ROOT


def sparse(path: Path) -> None:
    """A file of 1 GB that takes no room."""
    with path.open("wb") as file:
        file.truncate(1 << 30)


SPOILT: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "circle": lambda path: path.symlink_to(path.name),
    "fifo": lambda path: os.mkfifo(path),
    "folder": lambda path: path.mkdir(),
    "1 GB": sparse,
    "device": lambda path: path.symlink_to("/dev/zero"),
}
"""What a child may put in place of a file."""
OTHERWISE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "file": lambda path: path.write_text("words"),
}


def spoil(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    (SPOILT | OTHERWISE)[kind](path)


# Reading


@pytest.mark.parametrize("kind", SPOILT)
def test_what_is_no_plain_file_is_unreadable_and_never_blocks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "_x.md"
    spoil(path, kind)
    with pytest.raises(files.Unreadable, match=r"_x\.md"):
        files.read_text(path)
    assert files.read_any(path, 1 << 20) == b""


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 300])
def test_a_name_that_can_name_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(files.Unreadable):
        files.read(tmp_path / name)


def test_a_read_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("12345")
    assert files.read(tmp_path / "x", 5) == files.read_any(tmp_path / "x") == b"12345"
    with pytest.raises(files.Unreadable, match="larger than"):
        files.read(tmp_path / "x", 4)


# Writing


def test_text_survives_whatever_its_bytes_are(tmp_path: Path) -> None:
    """Only a byte order mark is dropped. The file is readable by its owner only."""
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\xff\x00\xed\xa0\x80")
    text = files.read_text(path)
    assert text is not None and text.startswith("a\r\n")
    files.write(path, text)
    assert path.read_bytes() == b"a\r\n\xff\x00\xed\xa0\x80"
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["x", "x.loop.tmp"])
@pytest.mark.parametrize("kind", [*SPOILT, "file"])
def test_a_write_replaces_what_a_child_left_there(tmp_path: Path, kind: str, name: str) -> None:
    """In place of the file or of its temporary file. A folder is renamed, not emptied."""
    path = tmp_path / "x"
    for _ in range(2):
        spoil(tmp_path / name, kind)
        files.write(path, "new")
        assert path.read_text() == "new" and not path.is_symlink()
    assert len(list(tmp_path.glob(f"{name}.kept-*"))) == 2 * (kind == "folder")


def test_append_never_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "x").symlink_to("target")
    with pytest.raises(OSError, match="symbolic"):
        files.append(tmp_path / "x", b"theirs")
    assert (tmp_path / "target").read_text() == "mine"


FULL = """
import resource, sys
from pathlib import Path
from samocode.record import files
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
copied = Path(sys.argv[2])
for call in (files.append, files.write, lambda *_: files.unlinked_copy(copied, 9000)):
    try:
        call(Path(sys.argv[1]), b"n" * 5000)
    except OSError as error:
        print(type(error).__name__)
"""


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """A write that fails in its middle changes nothing. The limit is 4096 bytes a file here."""
    path = tmp_path / "x"
    path.write_bytes(b"o" * 3000)
    copied = tmp_path / "copied"
    copied.write_bytes(b"c" * 5000)
    command = [sys.executable, "-c", FULL, str(path), str(copied)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["OSError", "OSError", "OSError"], done.stderr
    assert path.read_bytes() == b"o" * 3000
