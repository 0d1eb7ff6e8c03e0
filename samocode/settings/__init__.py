"""The table of settings, their sources, and the command line."""
