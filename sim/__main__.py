"""``python -m sim``: the same as ``gossipmm-sim``."""

from sim.cli import main

main()
