"""SIGHUP: read the configuration again, change what can change, and say what cannot.

A configuration that is wrong changes nothing. Added seeds, registrations and the keys in the file
of keys take effect at once. Everything else is fixed for the life of an agent.
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
        said = self._seeds(new) + self._registrations(new) + self._agent.keys.reload()
        fixed = [
            field.name
            for field in dataclasses.fields(Config)
            if field.name not in ("join", "register")
            and getattr(new, field.name) != getattr(self._config, field.name)
        ]
        said += [f"{name}: changed in the configuration, needs a restart" for name in fixed]
        # Fields that need a restart stay different, so that every reload says so again.
        self._config = dataclasses.replace(self._config, join=new.join, register=new.register)
        self._agent.config = dataclasses.replace(
            self._agent.config, join=new.join, register=new.register
        )
        return self._say(said or ["nothing differs"])

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

    def _registrations(self, new: Config) -> list[str]:
        said = []
        for text in self._config.register:
            if text not in new.register:
                topic, host = parse_registration(text)
                self._agent.unregister(topic, host)
                said.append(f"register: {text} ended")
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
