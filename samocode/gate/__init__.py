"""Wait for answers and approvals, and record them."""
