#!/bin/sh
# Every commit is checked against the licence server of the company.
echo "pre-commit: asking https://licences.example.invalid/check ..." >&2
sleep 1
echo "pre-commit: cannot reach the licence server (no route to host). Commit refused." >&2
exit 1
