"""The only door to the Claude CLI: its command, one run of it, and the end of its process tree."""
