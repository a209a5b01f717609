"""Messages that programs send each other through the members: user events."""
