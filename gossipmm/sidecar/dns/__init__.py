"""The DNS responder and the zone that it answers from."""
