"""One run: the scenario, its execution, and its result."""
