"""Simulated clusters of real cores: virtual time, one seed, every fault."""
