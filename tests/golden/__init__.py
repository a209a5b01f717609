"""What runs of the simulator did, on record, so that a change can be held against it."""
