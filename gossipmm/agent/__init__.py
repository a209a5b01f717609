"""The Trio shell around the core: sockets, seeds, clocks. No protocol decisions."""

import logging

from gossipmm.agent.agent import Agent
from gossipmm.agent.network import Network, Port, SystemNetwork
from gossipmm.agent.opening import open_agent
from gossipmm.agent.watch import Watch

__all__ = ("Agent", "Network", "Port", "SystemNetwork", "Watch", "open_agent")

# A library prints nothing unless the program says where to.
logging.getLogger("gossipmm").addHandler(logging.NullHandler())
