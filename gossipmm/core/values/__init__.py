"""What everything else speaks of: types, events, timers, counters."""
