"""Run a command without access to other machines: python tests/isolate.py COMMAND [ARG...]

On Linux the command gets its own network namespace with only loopback, so no test can reach a model
or anything else outside. Users other than root get a user namespace around it. Where that is
refused, and on macOS, this prints a line and runs the command without isolation. The command finds
TESTS_ISOLATED=1 in its environment if it is isolated. It uses ctypes, as Python 3.11 has no
os.unshare.
"""

import ctypes
import os
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000  # from linux/sched.h (both CLONE_), linux/if.h, linux/sockios.h
CLONE_NEWNET = 0x40000000
IFF_UP = 0x1
SIOCSIFFLAGS = 0x8914


def unshare(flags: int) -> None:
    """unshare(2). OSError when the system refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def keep_my_ids(uid: int, gid: int) -> None:
    """Map the user and group to themselves in the new user namespace."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def loopback_up() -> None:
    """Bring `lo` up: a new network namespace starts with it down."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def enter() -> None:
    """Move this process into a network namespace that has only loopback. OSError when refused."""
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWNET if uid == 0 else CLONE_NEWUSER | CLONE_NEWNET)
    if uid != 0:
        keep_my_ids(uid, gid)
    loopback_up()


def rehearse() -> str:
    """Try it in a child and return what went wrong, or "".

    Some systems (Ubuntu 24.04) allow the namespace and refuse the next steps. In this process it
    would then be too late to run the command without isolation.
    """
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has no network namespaces"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            enter()
        except (OSError, AttributeError) as refused:  # AttributeError: a libc without unshare
            os.write(writer, str(refused).encode() or b"refused")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        trouble = answer.read().decode()
    os.waitpid(child, 0)
    return trouble


def main(command: list[str]) -> None:
    """Become COMMAND, cut off from the network where the system allows it."""
    trouble = rehearse()
    if trouble:
        print(f"tests/isolate.py: not cut off from the network: {trouble}", file=sys.stderr)
    else:
        enter()
        os.environ["TESTS_ISOLATED"] = "1"
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    main(sys.argv[1:])
