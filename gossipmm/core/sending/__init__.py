"""Everything that leaves this node."""
