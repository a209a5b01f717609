"""One run: the scenario, what carries it out, and what it gives."""
