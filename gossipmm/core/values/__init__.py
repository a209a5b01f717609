"""The vocabulary of everything else: types, events, timers, counters."""
