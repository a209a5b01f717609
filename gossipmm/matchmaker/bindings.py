"""Bindings decide which keys an exchange is asked about.

A matchmaker asks its bindings in the order in which they were added. Subclass ``Binding`` for a
rule of your own.
"""

from __future__ import annotations

from gossipmm.matchmaker.keys import FANOUT_PREFIXES


class Binding:
    """A rule that decides whether a key is for the exchange it was added with."""

    def test(self, key: str) -> bool:
        """Return whether the key matches. A subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define test(key)")


class DirectBinding(Binding):
    """Keys that name a host by a dot: ``topic.host``."""

    def test(self, key: str) -> bool:
        """Return whether there is a dot in the key."""
        return "." in key


class TopicBinding(Binding):
    """Bare keys: ``topic``."""

    def test(self, key: str) -> bool:
        """Return whether there is no dot in the key."""
        return "." not in key


class FanoutBinding(Binding):
    """Fanout keys: ``fanout~topic``, or ``fanout.topic`` as the API page writes it.

    Add it before ``DirectBinding``, which matches the second spelling as well.
    """

    def test(self, key: str) -> bool:
        """Return whether the key begins with a fanout prefix."""
        return key.startswith(FANOUT_PREFIXES)
