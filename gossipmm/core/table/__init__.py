"""What this node knows about the members."""
