"""What an iteration comes to: the signal, the facts, and the rules."""
