"""All use of the Claude CLI: its command line, one run, and the end of its process tree."""
