"""Runs the loop with a fast clock, and kills it before a chosen line of its code, or records the
lines that it ran."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from main import main
from samocode.settings.flags import parse
from tests.outer.speech import fast

ROOT = str(Path(__file__).resolve().parents[1])
PRODUCT = (f"{ROOT}/samocode/", f"{ROOT}/main.py")


@final
class Lines:
    """A trace function that kills the loop with SIGKILL. With DIE_BEFORE=FILE:LINE:HIT, that comes
    before that line runs for the HIT-th time. With FILE:FUNCTION:HIT, it comes before that function
    returns for the HIT-th time."""

    def __init__(self, target: str) -> None:
        name, place, hit = target.rsplit(":", 2)
        self.at, self.hit = (f"{ROOT}/{name}", place), int(hit)
        self.ran: set[tuple[str, int]] = set()

    def __call__(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PRODUCT):
            return None
        if event in ("line", "return"):
            line = event == "line"
            place = str(frame.f_lineno) if line else frame.f_code.co_name
            if line:
                self.ran.add((frame.f_code.co_filename, frame.f_lineno))
            if (frame.f_code.co_filename, place) == self.at:
                self.hit -= 1
                if self.hit == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        return self

    def write(self, path: Path) -> None:
        """Append the lines of this run to the list of earlier runs."""
        with path.open("a") as file:
            for name, line in sorted(self.ran):
                file.write(f"{name.removeprefix(ROOT + '/')}:{line}\n")


if __name__ == "__main__":
    lines = Lines(os.environ.get("DIE_BEFORE", "none:0:0"))
    sys.settrace(lines)
    try:
        code = main(parse(sys.argv[1:]), fast(), env_file=None)
    finally:
        sys.settrace(None)
        if "LINES_RAN" in os.environ:
            lines.write(Path(os.environ["LINES_RAN"]))
    sys.exit(code)
