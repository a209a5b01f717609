"""Clients that are generated from the OpenAPI document, compiled and run against an agent.

    pytest tests/optional/generated_clients.py

They need Node.js with npm, Go, or a JDK with Maven, and what those fetch; each is skipped where
that is missing. A Go client that took ``time`` for a 32-bit float, a generator that stopped at
``type: [...]``, and Java that did not compile came to light in this way.
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

JAVA = """\
import java.util.Map;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.DefaultApi;
import org.openapitools.client.model.RegisterBodyMetadataValue;
import org.openapitools.client.model.Member;
import org.openapitools.client.model.RegisterBody;

public class Main {
  public static void main(String[] arguments) throws ApiException {
    ApiClient client = new ApiClient();
    client.updateBaseUri(arguments[0]);
    DefaultApi api = new DefaultApi(client);
    for (Member member : api.members().getMembers()) {
      System.out.println(member.getName() + " " + member.getStatus() + " "
          + (Long.parseUnsignedLong(member.getGeneration()) != 0));
    }
    RegisterBody body = new RegisterBody().ttl(30.0)
        .metadata(Map.of("port", new RegisterBodyMetadataValue(8080L)));
    System.out.println(api.register("web", "x", body).getHost());
    System.out.println(api.status().getVerdict());
    System.out.println(!api.why("a").getSummary().isEmpty());
    try {
      api.member("nobody");
    } catch (ApiException problem) {
      System.out.println(problem.getCode());
    }
    System.exit(0);  // its threads would be waited for
  }
}
"""

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId>
  <artifactId>client</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
DEPENDENCIES
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.openapitools</groupId>
    <artifactId>openapi-generator-maven-plugin</artifactId>
    <version>7.25.0</version>
    <executions><execution><goals><goal>generate</goal></goals><configuration>
      <inputSpec>${project.basedir}/openapi.json</inputSpec>
      <generatorName>java</generatorName>
      <library>native</library>
      <generateApiTests>false</generateApiTests>
      <generateModelTests>false</generateModelTests>
      <configOptions><useJakartaEe>true</useJakartaEe></configOptions>
    </configuration></execution></executions>
  </plugin></plugins></build>
</project>
"""
DEPENDENCIES = (
    "com.fasterxml.jackson.core:jackson-databind:2.21.8",
    "com.fasterxml.jackson.datatype:jackson-datatype-jsr310:2.21.8",
    "org.openapitools:jackson-databind-nullable:0.2.6",
    "jakarta.annotation:jakarta.annotation-api:2.1.1",
)

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


@pytest.mark.skipif(
    None in (shutil.which("mvn"), shutil.which("javac")), reason="Maven or a JDK is not installed"
)
def test_a_client_in_java(tmp_path: Path, openapi: Path, agent: Served) -> None:
    """A map whose values may be lists became ``List<String>.class``, which javac refuses."""
    names = ("groupId", "artifactId", "version")
    dependencies = [
        "".join(f"<{n}>{v}</{n}>" for n, v in zip(names, each.split(":"), strict=True))
        for each in DEPENDENCIES
    ]
    listed = "\n".join(f"    <dependency>{each}</dependency>" for each in dependencies)
    (tmp_path / "pom.xml").write_text(POM.replace("DEPENDENCIES", listed))
    source = tmp_path / "src/main/java/Main.java"
    source.parent.mkdir(parents=True)
    source.write_text(JAVA)
    maven = ("mvn", "-q", "-B")
    run(tmp_path, *maven, "compile")
    execute = "org.codehaus.mojo:exec-maven-plugin:3.5.0:java"
    flags = ("-Dexec.mainClass=Main", f"-Dexec.args={agent.url}")
    # Debian's Maven resets a terminal's colours, whatever it is told.
    told = run(tmp_path, *maven, execute, *flags).replace("\x1b[0m", "")
    assert told.splitlines() == ["a alive true", "x", "ok", "true", "404"]
