"""The OpenAPI 3.1 document, generated from the table of endpoints and the types of their bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from gossipmm.core.values.events import KINDS
from gossipmm.core.values.types import HostState
from gossipmm.names import PREFERENCES
from gossipmm.sidecar.http.problems import MEDIA_TYPE, Problem
from gossipmm.sidecar.http.router import Endpoint
from gossipmm.version import installed_version

__all__ = ("document",)

#: Text without control characters, as an ECMA regular expression.
_TEXT = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
_NAMED = {"type": "string", "minLength": 1}

#: Path parameters: name -> description and schema.
_PATH: dict[str, tuple[str, dict[str, Any]]] = {
    "key": (
        "`topic` (one of its hosts), `topic.host` (that host) or `fanout~topic` (all hosts). "
        "A topic has no dot; a host may.",
        {
            **_NAMED,
            "pattern": (
                "^[^\\u0000-\\u001f\\u007f-\\u009f.]+(\\.[^\\u0000-\\u001f\\u007f-\\u009f]+)?$"
            ),
            "not": {"pattern": "^fanout[~.](\\.|$)"},
            "examples": ["compute", "compute.host-a", "fanout~compute"],
        },
    ),
    "topic": (
        "A topic: no dot, no `~`, not `fanout`.",
        {
            **_NAMED,
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f.~]+$",
            "not": {"const": "fanout"},
            "examples": ["compute"],
        },
    ),
    "host": (
        "A host: any name; a slash as `%2F`.",
        {**_NAMED, "pattern": _TEXT, "examples": ["host-a"]},
    ),
    "name": ("A member's name.", {**_NAMED, "examples": ["host-a"]}),
    "kid": (
        "The id of a key: 2 to 8 hexadecimal digits.",
        {"type": "string", "pattern": "^([0-9a-fA-F]{2}){1,4}$", "examples": ["9f3a"]},
    ),
}

_KIND = f"({'|'.join(sorted(KINDS))})"
#: Query parameters: name -> description and schema.
_QUERY: dict[str, tuple[str, dict[str, Any]]] = {
    "routing_key": (
        "The same key goes to the same live host, for as long as that is live.",
        {"type": "string"},
    ),
    "routing_key_hex": (
        "A routing key of bytes, as hexadecimal digits.",
        {"type": "string", "pattern": "^([0-9a-fA-F]{2})*$"},
    ),
    "prefer": (
        "What to pick from: `zone` is the agent's own first, `near` are the nearest hosts; "
        "default: its setting `prefer`.",
        {"type": "string", "enum": list(PREFERENCES)},
    ),
    "port_from": (
        "The key of a registration's metadata that has the port to scrape; default `port`.",
        {"type": "string", "examples": ["metrics_port"]},
    ),
    "state": (
        "Only hosts in this state.",
        {"type": "string", "enum": [state.label for state in HostState]},
    ),
    "near": (
        "The nearest first, by the estimated round trip from this member, or from the agent's own "
        "node (`_agent`); `x-gossipmm-order` says what the list is ordered by.",
        {"type": "string", "examples": ["_agent"]},
    ),
    "since": ("The id of the last event known; `Last-Event-ID` does the same.", {"type": "string"}),
    "kind": (
        f"Kinds of events, separated by commas: {', '.join(sorted(KINDS))}.",
        {"type": "string", "pattern": f"^({_KIND}(,{_KIND})*)?$"},
    ),
    "to": (
        "The other one of the two members; default: the agent's own node.",
        {"type": "string"},
    ),
    "timeout": (
        "Seconds that it may take; default 2.",
        {"type": "number", "format": "double", "exclusiveMinimum": 0, "maximum": 30},
    ),
    "level": (
        "The least level of a line; the agent's own log stays as it is. Default `info`.",
        {"type": "string", "enum": ["debug", "info", "warning", "error"]},
    ),
    "topic": ("Only events of these topics, separated by commas.", {"type": "string"}),
    "member": ("Only events of these members, separated by commas.", {"type": "string"}),
}

_DESCRIPTION = """\
The control API of one agent, served on a Unix socket, and on a loopback port if one is configured:
`curl --unix-socket /run/gossipmm/host-a.sock http://gossipmm/v1/members`. Times that end in `_ago`
are seconds; `time` is seconds since 1970. 64-bit numbers are strings. Errors are RFC 9457."""


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the document as plain values, ready for JSON."""
    endpoints = tuple(endpoints)
    types: list[Any] = [Problem]
    for endpoint in endpoints:
        types += [kind for kind in (endpoint.answer, endpoint.body) if kind is not None]
    shapes, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    shape_of = dict(zip(map(str, types), map(_plainer, shapes), strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operations = paths.setdefault(endpoint.path, {})
        operations[endpoint.method.lower()] = _operation(endpoint, shape_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gossipmm",
            "version": installed_version(),
            "summary": "Live hosts by topic, with no server.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": _plainer(components)},
    }


#: Without a format, generated clients take ``float32`` and ``int32``: too small for a time.
_FORMATS = {"number": "double", "integer": "int64"}
_CONTAINERS = {"array", "object"}
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def _plainer(schema: Any) -> Any:
    """Describe what there is in words that every generator of clients understands.

    Pairs are lists of two whose items have either type, which is less than ``prefixItems`` can say;
    several types are alternatives; and numbers have a format. Where a list or a map is among the
    alternatives, OpenAPI Generator writes Java that does not compile: that is any value, in words.
    """
    if isinstance(schema, list):
        return [_plainer(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _plainer(item) for name, item in schema.items()}
    kind = found.get("type")
    if isinstance(kind, list):
        del found["type"]
        found["anyOf"] = [_plainer({"type": each}) for each in kind]
    elif isinstance(kind, str) and kind in _FORMATS:
        found["format"] = _FORMATS[kind]
    if "prefixItems" in found:
        kinds = [kind for item in found.pop("prefixItems") for kind in item.get("anyOf", [item])]
        unique = [kind for n, kind in enumerate(kinds) if kind not in kinds[:n]]
        found["items"] = unique[0] if len(unique) == 1 else {"anyOf": unique}
    if any(each.get("type") in _CONTAINERS for each in found.get("anyOf", [])):
        kinds = [_WORDS[each["type"]] for each in found.pop("anyOf")]
        words = f"{', '.join(kinds[:-1])} or {kinds[-1]}."
        found["description"] = " ".join(
            [words.capitalize(), *filter(None, [found.get("description")])]
        )
    return found


def _operation(endpoint: Endpoint, shape_of: dict[str, Any]) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", endpoint.path)
    parameters = [_parameter("path", name, *_PATH[name]) for name in names]
    parameters += [_parameter("query", name, *_QUERY[name]) for name in endpoint.query]
    if "since" in endpoint.query:
        parameters.append(_parameter("header", "Last-Event-ID", *_QUERY["since"]))
    operation: dict[str, Any] = {
        "operationId": endpoint.operation or endpoint.handler.__name__,
        "summary": endpoint.summary,
        "responses": _responses(endpoint, shape_of),
    }
    if endpoint.deprecated:
        operation["deprecated"] = True
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        required = any(field.required for field in msgspec.structs.fields(endpoint.body))
        operation["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": shape_of[str(endpoint.body)]}},
        }
    return operation


def _parameter(where: str, name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": description,
        "schema": schema,
    }


def _responses(endpoint: Endpoint, shape_of: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.answer is not None:
        schema = shape_of[str(endpoint.answer)]
        answer["content"] = {endpoint.media_type: {"schema": schema}}
    elif endpoint.status != 204:
        answer["content"] = {endpoint.media_type: {"schema": {"type": "string"}}}
    responses: dict[str, Any] = {str(endpoint.status): answer}
    for status, reason in endpoint.also.items():
        responses[str(status)] = {**answer, "description": reason}
    problem = {"schema": shape_of[str(Problem)]}
    for status in sorted({400, *endpoint.problems}):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: problem},
        }
    responses["default"] = {
        "description": "Any other problem",
        "content": {MEDIA_TYPE: problem},
    }
    return responses
