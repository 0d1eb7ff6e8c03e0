"""What a person sees: the live view, the status, the notices. A leaf."""
