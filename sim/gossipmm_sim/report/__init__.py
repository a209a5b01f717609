"""Runs as text, plots and one HTML file, and the predictions of theory."""
