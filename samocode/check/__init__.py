"""--check: whether this machine and this project are ready for a night. Optional."""
