"""--check: whether this machine and this project are ready for an unattended run. Optional."""
