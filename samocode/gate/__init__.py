"""The human's part: waits for answers and approvals, and records them."""
