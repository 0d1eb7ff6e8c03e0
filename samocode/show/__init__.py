"""What the user sees: live view, status, notifications. Optional."""
