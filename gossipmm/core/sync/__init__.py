"""Tables come together."""
