"""Messages by Telegram; the only door to requests. A leaf."""
