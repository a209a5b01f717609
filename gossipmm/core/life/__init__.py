"""The generations and registrations of this node."""
