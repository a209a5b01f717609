"""The read part of Consul's catalog and health API, for the programs that already speak it."""
