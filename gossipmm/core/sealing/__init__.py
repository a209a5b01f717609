"""Admission and encryption: which senders are heard, and how datagrams are sealed."""
