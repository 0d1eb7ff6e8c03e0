"""Reading and writing files that others may spoil: bounded reads, whole-file writes, appends that
hold."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 1 << 20  # of a text the loop reads whole; people and children write far less
MAX_END = 1 << 16  # of a command's output: it goes into the record, and one line may be all of it

Stamp = tuple[int, ...]


class Unreadable(Exception):
    """The path holds something that is no plain file of a sane size; the message says what."""


def opened(path: Path, limit: int = MAX_BYTES) -> BinaryIO | None:
    """A regular file of at most `limit` bytes, open to be read; None when there is none.

    Never follows a link, never blocks on a fifo: a child may put anything there.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Unreadable(f"{path.name!a} is no file name") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise Unreadable(f"{path.name} is a link or a device, not a plain file") from error
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}") from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
        os.close(fd)
        what = (
            f"larger than {limit // 1024} KB" if stat.S_ISREG(status.st_mode) else "no plain file"
        )
        raise Unreadable(f"{path.name} is {what}")
    return os.fdopen(fd, "rb")


def read(path: Path, limit: int = MAX_BYTES) -> bytes | None:
    """The bytes of a regular file (see `opened`), None when there is none."""
    file = opened(path, limit)
    if file is None:
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        return file.read(min(limit, size + 1))  # it may grow; a large limit is not allocated


def read_any(path: Path, limit: int = 1 << 30) -> bytes:
    """The bytes of a file, empty for anything that is no readable file of at most `limit` bytes."""
    try:
        return read(path, limit) or b""
    except Unreadable:
        return b""


def stamp(path: Path | str) -> Stamp | None:
    """What a stat says of a file's content, None without a file. No program can set the ctime."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def end(path: Path, most: int) -> str:
    """The end of a file of any size, for people: `most` bytes."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - most))
        return file.read(most).decode("utf-8", "replace")


def tail(path: Path, most: int) -> bytes:
    """The last bytes of a regular file of any size, `most` of them; all of it where they are fewer.
    Empty without a file (see `opened`)."""
    file = opened(path, sys.maxsize)
    if file is None:
        return b""
    with file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - most))
        return file.read(most)


def created(path: Path) -> BinaryIO:
    """A new log, only for the user; FileExistsError when something has its name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def last_lines(path: Path, count: int) -> list[str]:
    """The end of a log of any size: at most `count` lines, of at most MAX_END bytes."""
    return end(path, MAX_END).splitlines()[-count:]


def read_text(path: Path, limit: int = MAX_BYTES) -> str | None:
    """The same as text. Bytes that are no UTF-8 survive a round trip through `write`; a BOM is
    dropped."""
    data = read(path, limit)
    return None if data is None else data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def write(path: Path, text: str, durable: bool = True) -> None:
    """Replace the whole file, or leave it as it was: temporary file, fsync (unless it can be made
    again), rename."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"), durable)


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """`write`, for bytes."""
    temporary = create(path, data, durable=durable)
    try:
        temporary.replace(path)
    except IsADirectoryError:
        set_aside(path)
        temporary.replace(path)


def create(path: Path, data: bytes, like: Path | None = None, durable: bool = True) -> Path:
    """A temporary file with all of `data`, on disk when `durable`, to take the place of `path`;
    with the mode and owner of `like`."""
    temporary = path.with_name(path.name + ".loop.tmp")
    remove(temporary)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        if like:
            with contextlib.suppress(OSError):  # there is none, or it is somebody else's
                found = like.lstat()
                os.fchmod(fd, found.st_mode & 0o777)
                os.fchown(fd, found.st_uid, found.st_gid)
        if durable:
            os.fsync(fd)
    return temporary


def unnamed_copy(path: Path, limit: int) -> int:
    """A descriptor of a temporary file without a name, with what `path` holds, at its end."""
    import tempfile  # slow to import, and the Stop hook has no need of it

    fd, name = tempfile.mkstemp()
    Path(name).unlink()
    if file := opened(path, limit):
        with file:
            while data := file.read(1 << 20):
                os.write(fd, data)
    return fd


def append(path: Path, data: bytes) -> None:
    """Add `data` at the end in one write and make it durable; on failure the file is as long as
    before."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        try:
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)


def set_aside(path: Path) -> Path:
    """Rename whatever stands at `path` to a free name beside it, so that nothing is lost."""
    return path.rename(free_name(path))


def keep(path: Path) -> None:
    """Keep what stands at `path` under a free name too, without freeing the name in between."""
    if not os.path.lexists(path):
        return
    try:
        os.link(path, free_name(path), follow_symlinks=False)
    except (OSError, NotImplementedError):  # a folder, or a system without such links
        set_aside(path)


def free_name(path: Path) -> Path:
    """A name beside `path` that is not taken: NAME.kept-1, -2, ..."""
    n = 1
    while os.path.lexists(kept := path.with_name(f"{path.name}.kept-{n}")):
        n += 1
    return kept


def is_folder(path: Path | str) -> bool:
    """Whether a folder is there, and no link to one. A link to anything never raises."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def folder(path: Path) -> Path:
    """The folder at `path`, made (only for the user) where there is none; anything else that has
    its name is set aside."""
    if not is_folder(path):
        if os.path.lexists(path):
            set_aside(path)
        path.mkdir(mode=0o700, exist_ok=True)  # two programs may make it at once
    return path


def remove(path: Path) -> None:
    """Make the name free again: unlink a file, link or fifo; a directory is set aside, never
    emptied."""
    if is_folder(path):
        set_aside(path)
    else:
        path.unlink(missing_ok=True)
