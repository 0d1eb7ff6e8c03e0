"""main.py with a faster clock: the same loop, with patience that fits a test."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from main import main
from samocode.settings.flags import parse
from samocode.settings.timeouts import Timeouts

FAST = Timeouts(
    tick=0.02,
    poll=0.05,
    settle=float(os.environ.get("FAKE_SETTLE", "0.1")),
    init_grace=float(os.environ.get("FAKE_INIT_GRACE", "10")),
    result_grace=float(os.environ.get("FAKE_RESULT_GRACE", "1")),
    term_grace=float(os.environ.get("FAKE_TERM_GRACE", "0.5")),
    backoff_first=float(os.environ.get("FAKE_BACKOFF", "0.05")),
    backoff_most=0.2,
    limit_slack=0.1,
    reach=0.05,
    last_words=3.0,
)

if __name__ == "__main__":
    sys.exit(main(parse(sys.argv[1:]), FAST, env_file=None))
