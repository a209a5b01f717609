"""How fast the simulator is: virtual seconds a second of one core, in the steady state.

    python -m tests.bench.simulator_speed --nodes 100

All hosts boot within a second. Told: the best and the mean of twelve spans, and the memory.
"""

from __future__ import annotations

import argparse
import resource
import time

from gossipmm_sim.engine.cluster import Cluster


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--span", type=float, default=10.0, help="virtual seconds")
    options = parser.parse_args()
    cluster = Cluster(options.nodes, seed=0)
    cluster.boot(over=1.0)
    cluster.advance(20.0)
    ratios = []
    for _ in range(12):
        begin = time.process_time()
        cluster.advance(options.span)
        ratios.append(options.span / (time.process_time() - begin))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{options.nodes} nodes: {max(ratios):.1f} times real time at best, "
        f"{12 / sum(1 / one for one in ratios):.1f} in the mean; {memory:.2f} GB"
    )


if __name__ == "__main__":
    main()
