"""The sans-IO core: no Trio, no sockets, no clock, no module-level randomness."""
