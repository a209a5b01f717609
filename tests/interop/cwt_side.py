"""Runs under the interpreter that has python-cwt: decodes and encodes what it is given as JSON.

Stands alone: neither gossipmm nor pytest is there.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from cwt import COSE, COSEKey  # type: ignore[import-not-found]


def run(task: dict[str, str]) -> dict[str, Any]:
    """Decode ``message`` if there is one, else encode ``payload``; all values are hex."""
    given = {name: bytes.fromhex(value) for name, value in task.items()}
    key = COSEKey.new(
        {1: 4, 2: given["kid"], 3: 3, -1: given["key"], 4: [3, 4]}  # symmetric, A256GCM
    )
    cose = COSE.new()
    if "message" in given:
        try:
            protected, unprotected, payload = cose.decode_with_headers(
                b"\xd0" + given["message"], key, external_aad=given["external"]
            )
        except Exception as exc:
            return {"refused": f"{type(exc).__name__}: {exc}"}
        return {
            "payload": payload.hex(),
            "alg": protected[1],
            "kid": protected[4].hex(),
            "iv": unprotected[5].hex(),
        }
    message = cose.encode(
        given["payload"],
        key,
        protected={1: 3, 4: given["kid"]},
        unprotected={5: given["iv"]},
        external_aad=given["external"],
    )
    return {"message": message.hex()}


if __name__ == "__main__":
    json.dump([run(task) for task in json.load(sys.stdin)], sys.stdout)
