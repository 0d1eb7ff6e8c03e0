"""The history, the state folded from it, file access and exit codes. Imports no other package."""
