"""This node's own lives and registrations."""
