"""Bytes: frames, rows, options, pages."""
