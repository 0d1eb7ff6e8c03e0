"""Samocode: a thin loop that runs the Claude CLI, once per iteration, until a session is done."""

__version__ = "0.2.0"
