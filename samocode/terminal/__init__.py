"""Answers typed at the terminal. A leaf: without it the loop runs."""
