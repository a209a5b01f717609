"""``python -m gossipmm_sim``: the same as ``gossipmm-sim``."""

from gossipmm_sim.cli import main

main()
