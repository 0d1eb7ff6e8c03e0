"""Send Telegram messages. Optional."""
