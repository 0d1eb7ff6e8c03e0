"""Run the Claude CLI in a loop, one process per iteration, until a session is done."""

__version__ = "0.2.0"
