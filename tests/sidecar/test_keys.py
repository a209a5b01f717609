"""Keys over the control API: ids are shown, keys never; over TCP nothing can be changed."""

import base64
import json
from collections.abc import Awaitable

import pytest
import trio

from gossipmm import keyfile
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.sidecar.http.messages import Request
from tests.sidecar.api import apis


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keys"
    keyfile.create(path, Keyring((keyfile.generate(),)))
    return str(path)


async def test_by_hand_and_all_at_once(autojump_clock, file):
    async with apis("a", keyring=file) as (a,):
        (first,) = keyfile.load(file).keys
        key = keyfile.generate(first)
        body = {"kid": key.kid.hex(), "key": base64.b64encode(key.secret).decode()}
        said = []

        async def ask(method, target, body=None):
            status, value = await a.ask(method, target, body)
            said.append(json.dumps(value))
            return status, value

        status, shown = await ask("POST", "/v1/keys", body)
        assert (status, shown["keys"]) == (200, [first.kid.hex(), key.kid.hex()])
        _, shown = await ask("POST", f"/v1/keys/{key.kid.hex()}/use", {})
        assert shown["keys"] == [key.kid.hex(), first.kid.hex()]
        _, shown = await ask("POST", f"/v1/keys/{first.kid.hex()}/remove", {})
        assert (shown["keys"], shown["retired"]) == ([key.kid.hex()], [first.kid.hex()])
        assert keyfile.load(file) == Keyring((key,), (first,))

        status, shown = await ask("POST", "/v1/keys/rotation", {})
        assert (status, shown["rotation"]["replaces"]) == (200, key.kid.hex())
        # Virtual time runs on while a thread writes the file: its end is far off.
        with trio.fail_after(1_000_000):
            while (await ask("GET", "/v1/keys"))[1]["rotation"]["phase"] != "done":
                await trio.sleep(0.1)
            while keyfile.load(file) != a.agent.keys.ring:
                await trio.sleep(0.1)
        assert len(keyfile.load(file).keys) == 1
        assert (await ask("POST", "/v1/keys/reload")) == (200, {"changes": []})

        ring = keyfile.load(file)
        for one in (*ring.keys, *ring.retired):
            secret = base64.b64encode(one.secret).decode()
            assert not any(secret in text or one.secret.hex() in text for text in said)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/keys", {"kid": "01", "key": "not base64!"}),
        ("/v1/keys", {"kid": "01", "key": "AAAA"}),
        ("/v1/keys", {"kid": "0", "key": ""}),
        ("/v1/keys", {"kid": "0102030405", "key": ""}),
        ("/v1/keys/zz/use", {}),
        ("/v1/keys/00/use", {}),
        ("/v1/keys/00/remove", {"really": True}),
        ("/v1/keys/rotation", {"kid": "00"}),
        ("/v1/keys/rotation", {"out_of_band": True, "kid": "00"}),
        ("/v1/keys/rotation", {"keep": -1}),
        ("/v1/keys/rotation/without", {"names": []}),
        ("/v1/keys/rotation/without", {"names": ["x"]}),
        ("/v1/keys/rotation/cancel", None),
    ],
)
async def test_what_is_refused_changes_nothing(autojump_clock, file, target, body):
    async with apis("a", keyring=file) as (a,):
        before = keyfile.load(file)
        status, problem = await a.ask("POST", target, body)
        assert status in (400, 422)
        assert problem["detail"]
        assert keyfile.load(file) == before
        assert a.agent.keys.ring == before


async def test_over_tcp_keys_are_only_looked_at(autojump_clock, file):
    over_tcp = {b"host": b"127.0.0.1"}
    async with apis("a", keyring=file) as (a,):
        for target in ("", "/rotation", "/rotation/cancel", "/reload", "/00/use", "/00/remove"):
            body = b'{"kid": "01", "key": ""}' if not target else b"{}"
            request = Request("POST", f"/v1/keys{target}".encode(), over_tcp, body, tcp=True)
            answer = a.application(request)
            answer = await answer if isinstance(answer, Awaitable) else answer
            assert answer.status == 403, target
            assert b"Unix socket only" in answer.body
        assert a.application(Request("GET", b"/v1/keys", over_tcp, tcp=True)).status == 200


async def test_without_a_keyring(autojump_clock):
    async with apis("a") as (a,):
        shown = await a.get("/v1/keys")
        assert (shown["encrypted"], shown["keys"], shown["rotation"]) == (False, [], None)
        status, problem = await a.ask("POST", "/v1/keys/rotation", {})
        assert (status, "started without a keyring" in problem["detail"]) == (422, True)
