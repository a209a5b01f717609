"""Failure detection."""
