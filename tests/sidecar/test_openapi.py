"""The OpenAPI document is made from what is served, and what is served is of its types."""

import json
import re

import msgspec
import pytest
import trio

from gossipmm.sidecar.api.app import ENDPOINTS
from gossipmm.sidecar.api.openapi import document
from tests.sidecar.api import apis


def references(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_it_describes_every_endpoint_once():
    found = document(ENDPOINTS)
    operations = [
        operation for operations in found["paths"].values() for operation in operations.values()
    ]
    assert len(operations) == len(ENDPOINTS)
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for path, by_method in found["paths"].items():
        for operation in by_method.values():
            declared = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
            assert declared == re.findall(r"{(\w+)}", path)


def test_all_its_references_lead_somewhere_and_everything_is_used():
    found = document(ENDPOINTS)
    used = {reference.removeprefix("#/components/schemas/") for reference in references(found)}
    assert used == set(found["components"]["schemas"])


def every(schema):
    """All parts of a document that are objects."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, (dict, list)):
            yield from every(part)


def test_generators_of_clients_understand_it():
    """Without formats a Go client took times as float32; a list of types stopped oapi-codegen."""
    for part in every(document(ENDPOINTS)):
        kind = part.get("type")
        assert not isinstance(kind, list), part
        wanted = {"number": "double", "integer": "int64"}.get(kind) if isinstance(kind, str) else 0
        assert not wanted or part.get("format") == wanted, part


def test_unknown_fields_are_refused_in_bodies_only():
    found = document(ENDPOINTS)
    for endpoint in ENDPOINTS:
        if endpoint.body is not None:
            schema = found["components"]["schemas"][endpoint.body.__name__]
            assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "endpoint",
    [each for each in ENDPOINTS if each.method == "GET" and each.answer is not None],
    ids=lambda each: each.path,
)
async def test_answers_have_the_type_that_is_promised(autojump_clock, endpoint):
    async with apis("a", "b", register=("compute",), metadata={"zone": 1}) as (a, _):
        await trio.sleep(1)
        path = endpoint.path.format(key="compute", topic="compute", host="b", name="b")
        answer = await a.answer("GET", path)
        assert answer.status == 200
        msgspec.json.decode(answer.body, type=endpoint.answer, strict=True)
        if isinstance(endpoint.answer, type) and issubclass(endpoint.answer, msgspec.Struct):
            # What people read off one answer they take for promised.
            names = {field.encode_name for field in msgspec.structs.fields(endpoint.answer)}
            assert set(json.loads(answer.body)) == names


async def test_it_is_served(autojump_clock):
    async with apis("a") as (a,):
        found = await a.get("/v1/openapi.json")
        assert found["openapi"] == "3.1.0"
        assert "/v1/queues/{key}" in found["paths"]
