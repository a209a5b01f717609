"""What this node knows of the members."""
