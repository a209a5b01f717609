"""Notifies systemd as a service of ``Type=notify`` does (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import trio

__all__ = ("UNIT", "keep_telling", "notify", "sysusers", "unit")

#: Seconds between two updates of the one-line status.
_INTERVAL = 5.0


def notify(*lines: str) -> bool:
    """Send assignments such as ``READY=1``; False: no manager listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(address)
            sock.send("\n".join(lines).encode())
    except OSError:
        return False
    return True


def reloading() -> None:
    """Say that a reload has begun; ``READY=1`` ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


async def keep_telling(status: Callable[[], str]) -> None:
    """Feed the watchdog, if there is one, and keep the status line current. Runs until cancelled.

    As long as this runs, so does the agent's event loop.
    """
    if not os.environ.get("NOTIFY_SOCKET"):
        return
    pause = _INTERVAL
    with suppress(ValueError):
        watchdog = int(os.environ.get("WATCHDOG_USEC", "")) / 1e6
        if os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            pause = min(pause, watchdog / 3)
    said = ""
    while True:
        words = status()
        changed = [f"STATUS={words}"] if words != said else []
        if notify("WATCHDOG=1", *changed):
            said = words
        await trio.sleep(pause)


#: The unit file; ``{command}``, ``{config}``, ``{group}`` and what keys need are filled in.
UNIT = """\
# Written by "gossipmm systemd-unit". Install it as /etc/systemd/system/gossipmm.service, then:
#   systemctl daemon-reload && systemctl enable --now gossipmm
# Whoever is in the group {group} may use the control socket, /run/gossipmm/<name>.sock.
[Unit]
Description=gossipmm agent: live RPC hosts by topic
Wants=network-online.target
After=network-online.target
# Its address may come late (DHCP, a slow link): it is tried for as long as it takes.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command} agent --config {config} --state-file %S/gossipmm/state.json --no-ask{flags}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
WatchdogSec=10
# SIGTERM leaves the cluster gracefully, within leave_timeout (2 s) and one more.
TimeoutStopSec=10
DynamicUser=yes
User=gossipmm
Group={group}
RuntimeDirectory=gossipmm
RuntimeDirectoryMode=0755
StateDirectory=gossipmm
StateDirectoryMode=0700
{keyring}LimitNOFILE=8192
# A dump of its memory has the keys.
LimitCORE=0
UMask=0077
# What follows also holds for the commands of checks and handlers in the configuration.
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
CapabilityBoundingSet=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


_KEYRING = """\
# Only root reads {keyring}; the service gets a copy of it at each start, and keeps its
# own in {folder}, where rotations are written.
LoadCredential=keyring:{keyring}
"""
_FLAGS = (
    " \\\n    --keyring %S/gossipmm/keyring.json --keyring-seed ${CREDENTIALS_DIRECTORY}/keyring"
)


_IDENTITY = """\
# Only root reads {identity}, this node's own key; the service gets a copy of it.
LoadCredential=identity:{identity}
"""
_IDENTITY_FLAG = " \\\n    --set identity_key=${CREDENTIALS_DIRECTORY}/identity"


def unit(command: str, config: str, group: str, keyring: str = "", identity: str = "") -> str:
    """Return the unit file; ``keyring`` and ``identity`` are root's files of keys."""
    lines = _KEYRING.format(keyring=keyring, folder="/var/lib/gossipmm") if keyring else ""
    lines += _IDENTITY.format(identity=identity) if identity else ""
    return UNIT.format(
        command=command,
        config=config,
        group=group,
        keyring=lines,
        flags=(_FLAGS if keyring else "") + (_IDENTITY_FLAG if identity else ""),
    )


def sysusers(group: str) -> str:
    """Return the file for ``sysusers.d``: the unit's user, and who may use the control socket.

    A user as well as a group: systemd starts no unit with ``DynamicUser`` whose user is missing
    while a group of that name exists (status 217/USER).
    """
    lines = ["# The user of the gossipmm agent, and the group that may use its control socket."]
    lines += ['u gossipmm - "gossipmm agent"']
    lines += [f"g {group} -"] if group != "gossipmm" else []
    return "".join(f"{line}\n" for line in lines)
