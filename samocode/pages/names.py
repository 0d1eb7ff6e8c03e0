"""The names of the files in a session folder."""

from samocode.record.history import FILE as HISTORY

__all__ = ["HISTORY", "INBOX", "ITERATION", "LOGS", "OVERVIEW", "QA", "REPORT", "SIGNAL", "TASK"]

TASK = "_task.md"
OVERVIEW = "_overview.md"
QA = "_qa.md"
SIGNAL = "_signal.json"
ITERATION = "_iteration.json"
INBOX = "_inbox"
LOGS = "_logs"
REPORT = "_report.html"
