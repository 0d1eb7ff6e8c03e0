#!/usr/bin/env python3
"""pre-commit: a new test says in a docstring what it is for."""

import re
import subprocess
import sys

DIFF = subprocess.run(
    ["git", "diff", "--cached", "-U0", "--", "*.py"], capture_output=True, text=True, check=True
).stdout
missing = [
    name
    for name, rest in re.findall(r"^\+ *def (test_\w+)\(.*\n(.*)", DIFF, re.M)
    if not re.match(r'\+ *r?"""', rest)
]
for name in missing:
    print(f"pre-commit: {name} has no docstring: new tests need one", file=sys.stderr)
sys.exit(1 if missing else 0)
