"""SIGHUP: read the configuration again, change what can change, and say what cannot.

A configuration that is wrong changes nothing. Added seeds, registrations, services, handlers,
metadata, the keys in the file of keys, this node's certificate and the list of revocations take
effect at once. Everything else is fixed for the life of an agent.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from gossipmm.addresses import parse_registration
from gossipmm.agent import Agent
from gossipmm.config import Config
from gossipmm.errors import GossipError

__all__ = ("Reloader",)

_log = logging.getLogger(__name__)

#: Fields that take effect at once.
_CHANGES = (
    *("join", "register", "service", "on", "query", "metadata"),
    *("certificate", "revocations"),
)


class Reloader:
    """Applies to an agent what ``load`` returns now, compared with what it returned last."""

    def __init__(self, agent: Agent, config: Config, load: Callable[[], Config]) -> None:
        self._agent = agent
        self._config = config
        self._load = load

    def reload(self) -> list[str]:
        """Change what can change; returns (and logs) what was done and what was not, in words."""
        try:
            new = self._load()
        except GossipError as exc:
            return self._say([f"nothing was changed: {exc}"])
        said = self._seeds(new) + self._metadata(new)
        # What leaves one of the two lists may have come to the other.
        said += self._ended(new)
        if self._differs(new, "service"):
            said += self._agent.extras.set_services(new)
        said += self._registrations(new) + self._handlers(new) + self._agent.keys.reload()
        said += self._agent.identity.reload(new)
        fixed = [
            field.name
            for field in dataclasses.fields(Config)
            if field.name not in _CHANGES and self._differs(new, field.name)
        ]
        said += [f"{name}: changed in the configuration, needs a restart" for name in fixed]
        # Fields that need a restart stay different, so that every reload says so again.
        taken = {name: getattr(new, name) for name in _CHANGES}
        self._config = dataclasses.replace(self._config, **taken)
        self._agent.config = dataclasses.replace(self._agent.config, **taken)
        return self._say(said or ["nothing differs"])

    def _differs(self, new: Config, name: str) -> bool:
        return bool(getattr(new, name) != getattr(self._config, name))

    def _metadata(self, new: Config) -> list[str]:
        """Change keys that differ between the files; those set by hand meanwhile stay."""
        before, after = dict(self._config.metadata), dict(new.metadata)
        changes: dict[str, str | int | bool | None] = {
            key: after.get(key) for key in {*before, *after} if before.get(key) != after.get(key)
        }
        if not changes:
            return []
        try:
            self._agent.set_metadata(changes)
        except GossipError as exc:
            return [f"metadata: refused: {exc}"]
        return [f"metadata: {', '.join(sorted(changes))} changed"]

    def _seeds(self, new: Config) -> list[str]:
        said = []
        added = [seed for seed in new.join if seed not in self._config.join]
        if added:
            self._agent.join(*added)
            said.append(f"join: added {', '.join(added)}")
        removed = [seed for seed in self._config.join if seed not in new.join]
        if removed:
            said.append(f"join: {', '.join(removed)} is still tried until a restart")
        return said

    def _handlers(self, new: Config) -> list[str]:
        said = []
        if self._differs(new, "query"):
            said += self._agent.answerers.set_programs(new.query)
        return said + self._events(new)

    def _events(self, new: Config) -> list[str]:
        if not self._differs(new, "on"):
            return []
        try:
            return self._agent.extras.set_handlers(new)
        except GossipError as exc:
            return [f"on: refused: {exc}"]

    def _ended(self, new: Config) -> list[str]:
        said = []
        for text in self._config.register:
            if text not in new.register:
                topic, host = parse_registration(text)
                self._agent.unregister(topic, host)
                said.append(f"register: {text} ended")
        return said

    def _registrations(self, new: Config) -> list[str]:
        said = []
        for text in new.register:
            if text not in self._config.register:
                try:
                    topic, host = parse_registration(text, path="")
                    self._agent.register(topic, host)
                    said.append(f"register: {text} added")
                except GossipError as exc:
                    said.append(f"register: {text} refused: {exc}")
        return said

    @staticmethod
    def _say(said: list[str]) -> list[str]:
        for line in said:
            _log.info("configuration read again: %s", line)
        return said
