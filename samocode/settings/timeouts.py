"""Timeouts and poll intervals in one place, so that tests can run the same loop faster."""

from typing import NamedTuple


class Timeouts(NamedTuple):
    """Timeouts and poll intervals, in seconds."""

    tick: float = 0.5
    """Between two looks at what a running child says; its end is noticed at once."""
    poll: float = 0.4
    """Between two looks at `_qa.md` while a human is awaited."""
    settle: float = 1.0
    """`_qa.md` counts once it has been unchanged for this long: editors save in pieces."""
    init_grace: float = 60.0
    """Without any event by then the start has failed."""
    result_grace: float = 15.0
    """After its result the CLI has this long to be gone."""
    hook_grace: float = 600.0
    """The same while a process of its own runs: a SessionEnd hook may take this long."""
    term_grace: float = 5.0
    """Between SIGTERM and SIGKILL."""
    backoff_first: float = 30.0
    backoff_most: float = 600.0
    """The pause after a transient failure doubles from the first to the most. After a crash it is
    once the first, then twice."""
    limit_slack: float = 60.0
    """Up to this is added to the moment a usage limit resets: sessions that share an account must
    not all start at once."""
    quiet: float = 300.0
    """A child that shows nothing for this long is mentioned as still running."""
