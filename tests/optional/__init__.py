"""Tests that fetch what they need: named on the command line, never part of the gate."""
