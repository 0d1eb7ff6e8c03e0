"""Trials of the prompts with fresh readers (README.md)."""
