"""No test reads the real HOME, reaches a model, or sends a packet to another machine."""

import contextlib
import errno
import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FOREIGN
from tests.real.cli import clean_env

ISOLATE = Path(__file__).with_name("isolate.py")


def test_home_is_not_the_real_one(tmp_path: Path) -> None:
    config = Path(os.environ["CLAUDE_CONFIG_DIR"])
    assert Path.home().is_relative_to(tmp_path) and config.is_relative_to(tmp_path)
    with contextlib.suppress(KeyError):  # a user without a name, as in some containers
        real = Path(pwd.getpwuid(os.getuid()).pw_dir).resolve()
        assert Path.home().resolve() != real and config.resolve() != real / ".claude"


def test_no_variable_leads_to_claude_telegram_or_another_repository() -> None:
    """conftest.py clears these variables when pytest is started directly, tests/run otherwise."""
    ours = {"CLAUDE_CONFIG_DIR", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"}
    found = {name for name in os.environ if name.startswith(FOREIGN)}
    assert {name for name in found if not name.startswith("XDG_")} == ours
    script = ISOLATE.with_name("run").read_text()
    assert all(f" {name}*" in script for name in FOREIGN)


@pytest.mark.skipif("TESTS_ISOLATED" not in os.environ, reason="not cut off: see tests/isolate.py")
def test_no_packet_leaves_this_machine() -> None:
    """A connection to 192.0.2.1 (TEST-NET, RFC 5737) fails at once, since there is no route."""
    with socket.socket() as outside:
        outside.settimeout(5)
        assert outside.connect_ex(("192.0.2.1", 80)) == errno.ENETUNREACH
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_isolate_passes_on_the_exit_code_and_the_arguments() -> None:
    code = "import sys; sys.exit(int(sys.argv[1]))"
    command = [sys.executable, str(ISOLATE), sys.executable, "-c", code, "7"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 7


def test_no_environment_of_the_real_cli_leads_outside(tmp_path: Path) -> None:
    for url in ("https://api.anthropic.com", "http://127.0.0.1.example.com:80", "http://10.0.0.1"):
        with pytest.raises(AssertionError, match="not loopback"):
            clean_env(tmp_path, url)
