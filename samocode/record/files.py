"""File access that tolerates hostile content: bounded reads, atomic writes, durable appends."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 1 << 20  # default limit for files that are read whole
MAX_END = 1 << 16  # limit for the end of a command's output, which may be a single long line

Stamp = tuple[int, ...]


class Unreadable(Exception):
    """The path is not a regular file within the size limit. The message says what it is."""


def real(path: Path) -> Path:
    """Return the path without links. Path.resolve() would raise for a loop of links."""
    return Path(os.path.realpath(path))


def opened(path: Path, limit: int = MAX_BYTES) -> BinaryIO | None:
    """Open a regular file of at most `limit` bytes for reading. Return None if it does not exist.
    Symbolic links are not followed and a FIFO does not block, since a child can create either.
    Raises Unreadable for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Unreadable(f"{path.name!a} is not a valid file name") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise Unreadable(f"{path.name} is a link or a device, not a plain file") from error
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}") from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
        os.close(fd)
        too_large = stat.S_ISREG(status.st_mode)
        what = f"larger than {limit // 1024} KB" if too_large else "not a plain file"
        raise Unreadable(f"{path.name} is {what}")
    return os.fdopen(fd, "rb")


def read(path: Path, limit: int = MAX_BYTES) -> bytes | None:
    """Return the bytes of a regular file, or None if it does not exist. See `opened` for errors."""
    file = opened(path, limit)
    if file is None:
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        return file.read(min(limit, size + 1))  # the file may grow; do not allocate `limit` bytes


def read_any(path: Path, limit: int = 1 << 30) -> bytes:
    """Like `read`, but return empty bytes if the file is missing, too large or not regular."""
    try:
        return read(path, limit) or b""
    except Unreadable:
        return b""


def stamp(path: Path | str) -> Stamp | None:
    """Return a file's identity for change detection, or None. Its last number is the ctime, which
    no program can set."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def tail(path: Path, most: int = MAX_END) -> bytes:
    """Return at most the last `most` bytes of a file of any size. Empty if it cannot be read."""
    try:
        file = opened(path, sys.maxsize)
    except Unreadable:
        return b""
    if file is None:
        return b""
    with file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - most))
        return file.read(most)


def created(path: Path) -> BinaryIO:
    """Create a log with mode 0600. FileExistsError if the name is taken."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def last_lines(path: Path, count: int) -> list[str]:
    """Return at most `count` lines from the last MAX_END bytes of a log."""
    return tail(path).decode("utf-8", "replace").splitlines()[-count:]


def read_text(path: Path, limit: int = MAX_BYTES) -> str | None:
    """Like `read`, as text without a BOM. Invalid UTF-8 survives a round trip to `write`."""
    data = read(path, limit)
    return None if data is None else data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def write(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Replace a file atomically by a temporary file and a rename, with an fsync if `durable`."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
    temporary = create(path, data, durable=durable)
    try:
        temporary.replace(path)
    except IsADirectoryError:
        set_aside(path)
        temporary.replace(path)


def create(path: Path, data: bytes, like: Path | None = None, durable: bool = True) -> Path:
    """Write `data` to a temporary file beside `path`, with the mode and owner of `like`."""
    temporary = path.with_name(path.name + ".loop.tmp")
    remove(temporary)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        if like:
            with contextlib.suppress(OSError):  # `like` is missing or has another owner
                found = like.lstat()
                os.fchmod(fd, found.st_mode & 0o777)
                os.fchown(fd, found.st_uid, found.st_gid)
        if durable:
            os.fsync(fd)
    return temporary


def unlinked_copy(path: Path, limit: int) -> int:
    """Copy `path` to an unlinked file. Return its descriptor, positioned at the end. The file is in
    /tmp if possible: a network file system would keep a name for it (.nfsXXXX)."""
    try:
        return _unlinked_copy(path, Path("/tmp"), limit)  # noqa: S108 - a random name, removed at once
    except OSError:  # full, or not writable
        return _unlinked_copy(path, path.parent, limit)


def _unlinked_copy(path: Path, folder: Path, limit: int) -> int:
    copy = folder / f".samocode-{os.urandom(8).hex()}"
    fd = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    copy.unlink()
    try:
        if file := opened(path, limit):
            with file:
                while data := file.read(1 << 20):
                    write_whole(fd, data, path)
    except (OSError, Unreadable):
        os.close(fd)
        raise
    return fd


def write_whole(fd: int, data: bytes, path: Path) -> None:
    """Write all of `data`. OSError, which names `path`, if only a part of it fits."""
    if os.write(fd, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def append(path: Path, data: bytes) -> None:
    """Append `data` in one write and fsync. If that fails, restore the file's old length."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        try:
            write_whole(fd, data, path)
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)


def set_aside(path: Path) -> Path:
    """Rename the file, folder or link at `path` to a free name beside it, and return that name."""
    return path.rename(free_name(path))


def keep(path: Path) -> str:
    """Give the file at `path` a second, free name, and say which. `path` itself stays in place if
    links work."""
    if not os.path.lexists(path):
        return "it was gone"
    kept = free_name(path)
    try:
        os.link(path, kept, follow_symlinks=False)
    except (OSError, NotImplementedError):  # a folder, or no hard links to symbolic links
        set_aside(path)
    return f"kept as {kept.name}"


def free_name(path: Path) -> Path:
    """Return a free name beside `path`: NAME.kept-1, NAME.kept-2, ..."""
    n = 1
    while os.path.lexists(kept := path.with_name(f"{path.name}.kept-{n}")):
        n += 1
    return kept


def is_folder(path: Path | str) -> bool:
    """Whether `path` is a folder and not a link to one. Never raises."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def folder(path: Path) -> Path:
    """Return the folder at `path`, created with mode 0700. Anything else there is renamed."""
    if not is_folder(path):
        if os.path.lexists(path):
            set_aside(path)
        path.mkdir(mode=0o700, exist_ok=True)  # another process may create it at the same time
    return path


def remove(path: Path) -> None:
    """Free the name: unlink a file, link or FIFO; rename a folder, so that its content survives."""
    if is_folder(path):
        set_aside(path)
    else:
        path.unlink(missing_ok=True)
