"""Coverage-guided fuzzing; see ``fuzz.py``."""
