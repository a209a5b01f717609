"""Clients that are generated from the OpenAPI document, compiled and run against an agent.

    pytest tests/optional/generated_clients.py

They need Node.js with npm, or Go, and what those fetch; each is skipped where that is missing. A
Go client that took ``time`` for a 32-bit float, and a generator that stopped at ``type: [...]``,
came to light in this way.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipmm.sidecar.api.app import ENDPOINTS
from gossipmm.sidecar.api.openapi import document
from tests.served import Served, served

pytestmark = pytest.mark.timeout(900)

TYPESCRIPT = """\
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const client = createClient<paths>({ baseUrl: process.argv[2]! });
const { data, error } = await client.GET("/v1/members");
if (error || !data) throw new Error(JSON.stringify(error));
for (const member of data.members) {
  console.log(member.name, member.status, BigInt(member.generation) > 0n);
}
const put = await client.PUT("/v1/registrations/{topic}/{host}", {
  params: { path: { topic: "web", host: "x" } },
  body: { ttl: 30, metadata: { port: 8080 } },
});
console.log(put.response.status, put.data?.host);
const found = await client.GET("/v1/queues/{key}", { params: { path: { key: "web.x" } } });
console.log(found.data?.queues[0]?.[1]);
const none = await client.GET("/v1/members/{name}", { params: { path: { name: "nobody" } } });
console.log(none.response.status, none.error?.type);
"""

GO = """\
package main

import (
	"context"
	"fmt"
	"os"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	client, err := NewClientWithResponses(os.Args[1])
	check(err)
	ctx := context.Background()
	members, err := client.MembersWithResponse(ctx)
	check(err)
	for _, member := range members.JSON200.Members {
		fmt.Println(member.Name, member.Status, member.Generation != "0")
	}
	found, err := client.QueuesWithResponse(ctx, "nothing", nil)
	check(err)
	fmt.Println(found.StatusCode(), found.JSON200.Status)
	status, err := client.StatusWithResponse(ctx)
	check(err)
	fmt.Println(status.JSON200.Verdict, status.JSON200.Uptime > 0)
}
"""

SETTINGS = {
    "compilerOptions": {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "target": "es2022",
        "module": "nodenext",
        "moduleResolution": "nodenext",
        "types": ["node"],
        "outDir": "out",
    },
    "files": ["main.ts"],
}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Served]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with served(tmp_path / "a.sock", control_port=port) as agent:
        yield agent


@pytest.fixture
def openapi(tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document(ENDPOINTS)))
    return file


def run(folder: Path, *command: str, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_a_client_in_typescript(tmp_path: Path, openapi: Path, agent: Served) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(json.dumps(SETTINGS))
    (tmp_path / "main.ts").write_text(TYPESCRIPT)
    packages = ("openapi-typescript@7", "openapi-fetch", "typescript@5", "@types/node")
    run(tmp_path, "npm", "install", "--silent", "--no-fund", "--no-audit", *packages)
    # A field with a default may be left out of what is sent.
    flags = ("--default-non-nullable=false", "-o", "schema.ts")
    run(tmp_path, "npx", "openapi-typescript", openapi.name, *flags)
    run(tmp_path, "npx", "tsc", "-p", ".")
    told = run(tmp_path, "node", "out/main.js", agent.url)
    assert told.splitlines() == [*("a alive true", "201 x", "x", "404 urn:gossipmm:unknown-member")]


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_a_client_in_go(tmp_path: Path, openapi: Path, agent: Served) -> None:
    (tmp_path / "go.mod").write_text("module example.org/client\n\ngo 1.24\n")
    (tmp_path / "main.go").write_text(GO)
    environ = {"GOFLAGS": "-mod=mod", "GOBIN": str(tmp_path)}
    generator = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@latest"
    run(tmp_path, "go", "install", generator, **environ)
    made = run(
        tmp_path, "./oapi-codegen", "-generate", "types,client", "-package", "main", openapi.name
    )
    assert "float32" not in made, "a time of today has no room in one"
    (tmp_path / "client.gen.go").write_text(made)
    run(tmp_path, "go", "mod", "tidy", **environ)
    run(tmp_path, "go", "build", "-o", "client", ".", **environ)
    assert run(tmp_path, "./client", agent.url).splitlines() == [
        *("a alive true", "200 unknown_topic", "ok true")
    ]
