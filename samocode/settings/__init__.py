"""Settings: one table, its readers, the command line, and where this clone lies."""
