"""Signatures checked on a Trio loop, or in a thread beside it: time, processor, and late timers.

    python -m tests.bench.checks_in_a_thread

Real, with real signatures; decision 0127 has the figures. As many are checked as by a newcomer that
joins 1,000 members with certificates.
"""

from __future__ import annotations

import time

import trio

from gossipmm.core.identity.keys import Ed25519Signer, verify_ed25519

CHECKS, TIMER = 3000, 0.01
_TEXT = b"x" * 300
_SIGNER = Ed25519Signer.from_seed(b"s" * 32)
_SIGNATURE = _SIGNER.sign(_TEXT)


def check(times: int) -> None:
    """Check one signature so many times."""
    for _ in range(times):
        assert verify_ed25519(_SIGNER.public, _TEXT, _SIGNATURE)


async def measure(at_once: int, *, in_thread: bool) -> tuple[float, float, float]:
    """Make all checks; return seconds, processor seconds, and by how much a timer was late."""
    late = 0.0

    async def timer() -> None:
        nonlocal late
        while True:
            due = time.perf_counter() + TIMER
            await trio.sleep(TIMER)
            late = max(late, time.perf_counter() - due)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(timer)
        await trio.sleep(5 * TIMER)
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(0, CHECKS, at_once):
            if in_thread:
                await trio.to_thread.run_sync(check, at_once)
            else:
                check(at_once)
                await trio.lowlevel.checkpoint()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        nursery.cancel_scope.cancel()
    return wall, processor, late


def main() -> None:
    """Print a line for each way."""
    for in_thread, at_once in ((False, 9), (False, 40), (True, 9), (True, 40), (True, 300)):

        async def run(at_once: int = at_once, in_thread: bool = in_thread) -> tuple[float, ...]:
            return await measure(at_once, in_thread=in_thread)

        wall, processor, late = trio.run(run)
        how = "in a thread" if in_thread else "on the loop"
        print(
            f"{how}, {at_once:3} at once: {wall:.2f} s, {processor:.2f} s of processor, "
            f"timer late by {late * 1000:.1f} ms"
        )


if __name__ == "__main__":
    main()
