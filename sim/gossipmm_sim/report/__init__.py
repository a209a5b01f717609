"""Runs as text, plots and one HTML file; and what theory says of them."""
