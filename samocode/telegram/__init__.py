"""Telegram both ways: questions, answers, notices, commands. Optional."""
