"""Who may speak here, and how it is encrypted."""
