"""The printed unit and manifest, under systemd: agents may do what they must, and change keys."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from gossipmm import keyfile
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.sidecar.ops.kubernetes import manifests
from gossipmm.sidecar.ops.systemd import unit
from tests.container import Container, NoContainerError, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "can be booted")

_CONFIG = """\
name = "host-a"
bind = "127.0.0.1:7946"
register = ["compute"]
"""
#: What a kubelet makes of the manifest: its user, a root that is read-only, the volumes.
_POD = """\
[Service]
Type=notify
User=1000
Group=1000
{environment}
ExecStart=/opt/gossipmm agent --no-ask
ProtectSystem=strict
BindReadOnlyPaths=/etc/secret:/secret
TemporaryFileSystem=/keys:mode=2777 /run/gossipmm:mode=2777
NoNewPrivileges=yes
CapabilityBoundingSet=
SystemCallFilter=@system-service
"""
#: What runs in the container: starts both, waits for them to agree, rotates, looks, restarts.
_PROGRAM = """\
import json, subprocess, time

def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()

def gossipmm(*command):
    return run("/opt/gossipmm", *command, "--control", "/run/gossipmm/host-a.sock")

def until(holds, seconds=40):
    deadline = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found

def ring(path="/var/lib/private/gossipmm/keyring.json"):
    with open(path) as file:
        return json.load(file)

def process(name):
    return run("systemctl", "show", "--value", "-p", "MainPID", f"{name}.service")[1]

def alive():
    status, said = gossipmm("members", "-o", "json")
    return status == 0 and {each["name"]: each["status"] for each in json.loads(said)}

def look(found):
    both = {"host-a": "alive", "pod-0": "alive"}
    found["started"] = run("systemctl", "start", "gossipmm.service", "pod.service")
    found["joined"] = until(lambda: alive() == both)
    found["before"] = ring()
    found["rotated"] = gossipmm("keys", "rotate")
    found["after"] = ring()
    pod = process("pod")
    found["pod"] = until(lambda: ring(f"/proc/{pod}/root/keys/keyring.json") == found["after"])
    found["seed"] = json.load(open("/etc/gossipmm/keyring.json"))
    found["restarted"] = run("systemctl", "restart", "gossipmm.service")
    found["again"] = until(lambda: alive() == both)
    found["kept"] = ring()
    main = process("gossipmm")
    with open(f"/proc/{main}/status") as file:
        lines = dict(line.rstrip().split(":\\t", 1) for line in file if ":\\t" in line)
    wanted = ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
    found["status"] = {name: lines[name] for name in wanted}
    with open(f"/proc/{main}/limits") as file:
        found["core"] = next(line.split()[4] for line in file if line.startswith("Max core"))
    with open(f"/proc/{main}/mounts") as file:
        mounts = {line.split()[1]: line.split()[3].split(",") for line in file}
    found["writable"] = [path for path in ("/", "/etc", "/usr") if "rw" in mounts.get(path, ())]

found = {}
try:
    look(found)
except Exception as exc:
    found["error"] = repr(exc)
    found["journal"] = run("journalctl", "-o", "cat", "--no-pager", "-n", "60")[1]
print(json.dumps(found))
"""


def pod_unit() -> str:
    """Return the manifest's agent as a unit, at addresses of its own."""
    text = manifests("default", "image")
    values = dict(re.findall(r"name: (GOSSIPMM_[A-Z_]+), value: \"?([^,}\"]+)", text))
    assert len(values) == text.count("{name: GOSSIPMM_") - 1  # the worker has one of the same name
    values |= {
        "GOSSIPMM_NAME": "pod-0",
        "GOSSIPMM_BIND": "127.0.0.1:7947",
        "GOSSIPMM_HEALTH_BIND": "127.0.0.1:7981",
        "GOSSIPMM_JOIN": "127.0.0.1:7946",
    }
    lines = [f"Environment={name}={value}" for name, value in values.items()]
    return _POD.format(environment="\n".join(lines))


def booted(folder: Path, key: Key) -> str:
    """Boot a system with the unit and the pod; return what the program in it said."""
    with Container(folder) as container:
        text = unit("/opt/gossipmm", "/etc/gossipmm.toml", "gossipmm", "/etc/gossipmm/keyring.json")
        container.write("etc/systemd/system/gossipmm.service", text)
        container.write("etc/systemd/system/pod.service", pod_unit())
        container.write("etc/gossipmm.toml", _CONFIG)
        file = container.write("etc/gossipmm/keyring.json", keyfile.dump(Keyring((key,))))
        file.chmod(0o600)
        secret = container.write("etc/secret/keyring.json", keyfile.dump(Keyring((key,))))
        secret.chmod(0o440)
        os.chown(secret, 0, 1000)
        for folder in ("keys", "secret"):
            (container.root / folder).mkdir()
        return container.boot(_PROGRAM)


def test_the_unit_and_the_pod_run_hardened_and_rotate_their_keys(tmp_path) -> None:
    """The keyring in /etc or of a secret cannot be written by its agent: a rotation hung there."""
    key = keyfile.generate()
    try:
        said = booted(tmp_path, key)
    except NoContainerError as exc:
        pytest.skip(f"this system boots no container: {exc}")
    print(said)
    found = json.loads(said)
    assert "error" not in found
    assert found["started"] == [0, ""]
    assert found["joined"]
    assert found["rotated"][0] == 0
    assert found["pod"]
    old = key.kid.hex()
    assert [row["kid"] for row in found["before"]] == [old]
    new = found["after"][0]["kid"]
    assert new != old
    assert [row["kid"] for row in found["seed"]] == [old]
    # The same key after a restart, for which root's file is handed in again.
    assert found["restarted"] == [0, ""]
    assert found["again"]
    assert found["kept"][0]["kid"] == new
    assert found["status"]["CapEff"] == found["status"]["CapBnd"] == "0" * 16
    assert (found["status"]["NoNewPrivs"], found["status"]["Seccomp"]) == ("1", "2")
    assert found["status"]["Uid"].split()[0] != "0"
    assert found["core"] == "0"
    assert found["writable"] == []
