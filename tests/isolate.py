"""Run a command without access to other machines: python tests/isolate.py COMMAND [ARG...]

On Linux the command gets its own network namespace with only loopback, and TESTS_ISOLATED=1. Users
other than root get a user namespace around it. Where that is refused, and on macOS, this prints a
line and runs the command without isolation. (ctypes: Python 3.11 has no os.unshare.)
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


def enter() -> None:
    """Move this process into a network namespace that has only loopback. OSError when refused."""
    import fcntl

    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | (CLONE_NEWUSER if uid else 0)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if uid:  # the user and the group stay what they are
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:  # lo starts down
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def rehearse() -> str:
    """Try it in a child and return what went wrong, or "". Ubuntu 24.04 allows the namespace and
    refuses the next steps, which is too late to run the command without isolation."""
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
    trouble = rehearse()
    if trouble:
        print(f"tests/isolate.py: not cut off from the network: {trouble}", file=sys.stderr)
    else:
        enter()
        os.environ["TESTS_ISOLATED"] = "1"
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    main(sys.argv[1:])
