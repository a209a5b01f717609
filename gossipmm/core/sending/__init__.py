"""What leaves this node."""
