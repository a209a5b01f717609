"""gossipmm: gossip-based membership and matchmaking for RPC hosts."""
