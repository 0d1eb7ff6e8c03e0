"""Timeouts and poll intervals, in one place so that tests can shorten them."""

from typing import NamedTuple


class Timeouts(NamedTuple):
    """Timeouts and poll intervals, in seconds."""

    tick: float = 0.5
    """Interval between reads of a running child's output. Its exit is noticed at once."""
    poll: float = 0.4
    """Interval between checks of `_qa.md` while waiting for an answer."""
    settle: float = 1.0
    """`_qa.md` is read once it is unchanged for this long, because editors save in steps."""
    init_grace: float = 60.0
    """A child without any event by then has failed to start."""
    result_grace: float = 15.0
    """The CLI must exit within this time after its result event."""
    hook_grace: float = 600.0
    """The same while the CLI has a child process: a SessionEnd hook may take this long."""
    term_grace: float = 5.0
    """Between SIGTERM and SIGKILL."""
    backoff_first: float = 30.0
    backoff_most: float = 600.0
    """The pause after an API failure doubles from `backoff_first` up to `backoff_most`. After a
    crash it is `backoff_first`, then twice that."""
    limit_slack: float = 180.0
    """Up to this is added to the reset of a usage limit, so that sessions do not start together.
    With 60, 2.8 % of a thousand sessions called in one second (bench/fleet.py)."""
    start_grace: float = 10.0
    """--until-change waits this long for a loop to start."""
    outside: float = 2.0
    """--check waits this long for an answer from claude, git or Telegram."""
    quiet: float = 300.0
    """A child silent for this long is reported as still running."""
    reach: float = 1.0
    """The pause after a failed call to Telegram. It doubles up to 64 times this value."""
    last_message: float = 1200.0
    """A run that ends waits at most this long to deliver its last message. Ctrl-C ends the wait."""
