"""Events in words and as JSON: see ``gossipmm.agent.words``."""

from gossipmm.agent.words import as_json, as_line

__all__ = ("as_json", "as_line")
