"""Metadata as text: one spelling for commands, catalogs and labels of other systems."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ("metadata_text", "value_text")


def value_text(value: object) -> str:
    """Write a value of metadata as ``register --metadata`` takes it: true and false in lower case.

    Consul's ``Meta`` and the labels of Prometheus hold text only, and get the same one.
    """
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def metadata_text(metadata: Mapping[str, object]) -> str:
    """Write metadata in one cell: ``port=9100 zone=eu``, by key."""
    return " ".join(f"{key}={value_text(value)}" for key, value in sorted(metadata.items()))
