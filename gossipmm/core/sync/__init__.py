"""Makes tables agree."""
