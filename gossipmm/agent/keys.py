"""The agent's file of keys: read, written and read again; rotations begun and followed from here.

The core decides what the keys are; this writes them down, atomically and before anybody relies on
them. A file that cannot be written (or was made unreadable by hand) is tried again and reported:
until it is written the others wait for this node.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import trio

from gossipmm import keyfile
from gossipmm.agent.driver import Driver
from gossipmm.agent.faults import Faults
from gossipmm.answers import KeyHolder, KeysStatus, KeyStraggler, RotationStatus
from gossipmm.core.life.rotation_progress import Progress, Straggler
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.events import Event, KeysChanged, KeyWanted
from gossipmm.core.values.rotation_state import KEEP, Phase
from gossipmm.errors import KeyringError

__all__ = ("AgentKeys",)

#: Seconds between two looks at a file that has to be written, or should have a key.
_AGAIN = 2.0


class AgentKeys:
    """The keys of one agent. Without a file of keys every change raises KeyringError."""

    def __init__(self, driver: Driver, path: str, faults: Faults, seed: str = "") -> None:
        self._driver = driver
        self._faults = faults
        self._seed = seed
        self._keys = driver.node.keys
        self.path = path
        #: Why the file could not be read or written the last time; empty: it could.
        self.trouble = ""
        #: The keys that were in the file when it was last read or written.
        self._known = _kids(self._keys.ring)
        self._changed = trio.Event()
        self._lock = trio.Lock()

    # -- what there is -------------------------------------------------------------------------

    @property
    def ring(self) -> Keyring | None:
        """The keys in use; None: this agent does not encrypt."""
        return self._keys.ring

    def status(self) -> KeysStatus:
        """Return the keys by their ids, what the members tell of theirs, and the last rotation."""
        ring, progress = self._keys.ring, self._keys.progress(self._driver.now())
        return KeysStatus(
            node=self._driver.node.name,
            encrypted=ring is not None,
            file=self.path,
            trouble=self.trouble,
            keys=tuple(key.kid for key in ring.keys) if ring else (),
            retired=tuple(key.kid for key in ring.retired) if ring else (),
            rotation=self._rotation(progress) if progress and progress.register.epoch else None,
            members=tuple(KeyHolder(*each) for each in progress.members) if progress else (),
            stragglers=tuple(KeyStraggler(*each) for each in self._keys.stragglers()),
        )

    def _rotation(self, progress: Progress) -> RotationStatus:
        state = progress.register
        left = state.keep - (self._driver.now() - progress.since)
        return RotationStatus(
            phase=state.phase.name.lower(),
            kid=state.new,
            replaces=state.old,
            out_of_band=state.out_of_band,
            since=progress.since,
            keep_left=max(0.0, left) if state.phase is Phase.USE else None,
            waits_for=tuple(member.name for member in progress.waits_for),
            without=progress.without,
            missing=progress.missing,
            majority=progress.majority,
        )

    def progress(self) -> Progress | None:
        """How far the last rotation has come; None: this agent does not encrypt."""
        return self._keys.progress(self._driver.now())

    def stragglers(self) -> tuple[Straggler, ...]:
        """Senders that used a key removed here: they missed a rotation."""
        return self._keys.stragglers()

    # -- changes: each returns once it is written, or raises KeyringError ----------------------

    async def add(self, key: Key) -> None:
        """Accept one more key."""
        await self._do(lambda now: self._keys.add(key, now))

    async def use(self, kid: bytes, *, force: bool = False) -> None:
        """Send with another key, here only."""
        await self._do(lambda now: self._keys.use(kid, now, force=force))

    async def remove(self, kid: bytes, *, force: bool = False) -> None:
        """Stop accepting a key, here only."""
        await self._do(lambda now: self._keys.remove(kid, now, force=force))

    async def rotate(self, *, keep: float = KEEP) -> None:
        """Begin to replace the sending key with a new one, everywhere, by gossip."""
        ring = await self._written()
        new = keyfile.generate(*ring.keys, *ring.retired, kids=self._keys.kids())
        await self._do(lambda now: self._keys.start(new, now, keep=keep))

    async def rotate_out_of_band(self, kid: bytes = b"", *, keep: float = KEEP) -> None:
        """Begin to replace the sending key with one that each host has in its own file.

        ``kid`` may be omitted when this agent's file has only one other key.
        """
        ring = await self._written()
        found = await trio.to_thread.run_sync(keyfile.load, self.path)
        others = [key for key in found.keys if key.kid != ring.sending.kid]
        if not kid:
            if len(others) != 1:
                names = ", ".join(key.kid.hex() for key in others) or "none"
                raise KeyringError(
                    f"{self.path}: which key is the new one? Besides the one that sends there is "
                    f"{names}; put the new key into the file of every host first (gossipmm keygen "
                    "--add, then copy)"
                )
            kid = others[0].kid
        key = found.find(kid)
        if key is None:
            raise KeyringError(f"{self.path}: key {kid.hex()} is not in it")

        def start(now: float) -> None:
            self._keys.add(key, now)
            self._keys.start(key.kid, now, out_of_band=True, keep=keep)

        await self._do(start)

    async def leave_behind(self, names: Iterable[str]) -> None:
        """Do not wait for these members in the rotation that is under way."""
        await self._do(lambda now: self._keys.leave_behind(names, now))

    async def cancel(self) -> None:
        """Go back to the key that is being replaced."""
        await self._do(self._keys.cancel)

    def reload(self) -> list[str]:
        """Read the file again; say in words what changed. A file that is wrong changes nothing."""
        if not self.path:
            return []
        try:
            if self._keys.unsaved:
                self._take(*self._write(self._need()))
            if self._seed:
                keyfile.take_seed(self.path, self._seed)
            found = keyfile.load(self.path)
            before = self._need()
            self._keys.replace(found, self._driver.now())
        except KeyringError as exc:
            return [f"keyring: nothing was changed: {exc}"]
        self._known = _kids(found)
        if self._keys.ring == found:
            self._keys.saved(found, self._driver.now())
        self._driver.flush()
        return _differences(before, self._need())

    def _need(self) -> Keyring:
        ring = self._keys.ring
        if ring is None:
            raise KeyringError("this agent does not encrypt: it was started without a keyring")
        return ring

    async def _written(self) -> Keyring:
        """Write the file as it is, so that nothing begins here that could not be written down."""
        async with self._lock:
            self._take(*await trio.to_thread.run_sync(self._write, self._need()))
        return self._need()

    async def _do(self, change: Callable[[float], None]) -> None:
        self._need()
        change(self._driver.now())
        self._driver.flush()
        await self._catch_up()
        if self.trouble and self._keys.unsaved:
            raise KeyringError(f"{self.trouble}; it is tried again, and the others wait for it")

    # -- for the tasks that run it -------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Take an event of the core."""
        if isinstance(event, KeysChanged | KeyWanted):
            self._changed.set()

    async def run(self) -> None:
        """Write down what is new, and look for keys that are wanted, for ever."""
        if self.path:
            await self._try_folder()
        while True:
            if self._keys.unsaved or self._keys.wanted:
                with trio.move_on_after(_AGAIN):
                    await self._changed.wait()
            else:
                await self._changed.wait()
            self._changed = trio.Event()
            await self._catch_up()

    async def _try_folder(self) -> None:
        """Find out now what a rotation would find out, when all others would wait for this node."""
        why = await trio.to_thread.run_sync(keyfile.why_not_writable, self.path)
        if why:
            self._faults.set(
                "keyring",
                f"keyring {self.path}: its folder cannot be written ({why}): no rotation of keys "
                "can end while this node lives; put it into a folder of the agent's own, and name "
                "the present file as keyring_seed",
            )

    async def _catch_up(self) -> None:
        async with self._lock:
            try:
                if wanted := self._keys.wanted:
                    key = (await trio.to_thread.run_sync(keyfile.load, self.path)).find(wanted)
                    if key is None:
                        raise KeyringError(
                            f"{self.path}: a rotation out of band needs key {wanted.hex()}, which "
                            "is not in it"
                        )
                    self._keys.add(key, self._driver.now())
                writes = self._keys.unsaved
                if writes:
                    written = await trio.to_thread.run_sync(self._write, self._need())
                    self._take(*written)
                self._say("", well=bool(writes or self.trouble))
            except KeyringError as exc:
                self._say(str(exc))

    def _say(self, trouble: str, *, well: bool = False) -> None:
        """Say what is wrong; take it back when all is ``well``: a file was written."""
        self.trouble = trouble
        if trouble:
            self._faults.set("keyring", f"{trouble}; looked at again every {_AGAIN:g} s")
        elif well:
            self._faults.clear("keyring", f"keyring {self.path}: as it should be again")

    def _write(self, ring: Keyring) -> tuple[Keyring, tuple[Key, ...]]:
        """Write the file; return what was written, keys that were put there by hand included."""
        by_hand: tuple[Key, ...] = ()
        both = ring
        if os.path.exists(self.path):
            known = self._known | _kids(ring)
            by_hand = tuple(key for key in keyfile.load(self.path).keys if key.kid not in known)
            for key in by_hand:
                both = both.add(key)
        keyfile.save(self.path, both)
        return ring, by_hand

    def _take(self, written: Keyring, by_hand: tuple[Key, ...]) -> None:
        now = self._driver.now()
        self._known = _kids(written) | {key.kid for key in by_hand}
        self._keys.saved(written, now)
        for key in by_hand:
            self._keys.add(key, now)
        self._driver.flush()


def _kids(ring: Keyring | None) -> set[bytes]:
    return {key.kid for key in (*ring.keys, *ring.retired)} if ring is not None else set()


def _differences(before: Keyring, after: Keyring) -> list[str]:
    said = []
    held, holds = ({key.kid.hex() for key in ring.keys} for ring in (before, after))
    if added := sorted(holds - held):
        said.append(f"keyring: key {', '.join(added)} added")
    if removed := sorted(held - holds):
        said.append(f"keyring: key {', '.join(removed)} removed")
    if before.sending.kid != after.sending.kid:
        said.append(f"keyring: key {after.sending.kid.hex()} sends now")
    return said
