"""Read answers typed at the terminal. Optional: the loop runs without it."""
