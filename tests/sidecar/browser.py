"""Headless Chromium, driven through the DevTools protocol over a pipe: no library, no port.

With ``--remote-debugging-pipe`` Chromium reads commands from file descriptor 3 and writes answers
and events to 4: JSON objects, each ended by a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: None: there is no Chromium here.
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--disable-extensions"),
    *("--disable-default-apps", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio"),
    *("--remote-debugging-pipe", "--no-default-browser-check", "--force-color-profile=srgb"),
    # Nothing leaves the machine: every name but this host's fails at once.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
#: Seconds until something must have happened; the machine may be busy with other things.
DEADLINE = 20.0


class Browser:
    """One Chromium with one page."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def pipes() -> None:
            # Both ends may sit at 3 or 4 already: first out of the way, then into place.
            ends = os.dup(to_browser), os.dup(from_browser)
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"],
            preexec_fn=pipes,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        os.set_blocking(self._read, False)
        self._data = b""
        self._number = 0
        self._session: str | None = None
        #: What the browser told by itself: (method, parameters).
        self.events: list[tuple[str, dict[str, Any]]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command; return its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._write, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            for message in self._messages():
                if message.get("id") == self._number:
                    assert "error" not in message, f"{method}: {message['error']}"
                    result: dict[str, Any] = message["result"]
                    return result
        raise AssertionError(f"no answer to {method}")

    def _messages(self) -> Iterator[dict[str, Any]]:
        try:
            data = os.read(self._read, 1 << 20)
            assert data, "the browser ended"
            self._data += data
        except BlockingIOError:
            time.sleep(0.005)
        while b"\0" in self._data:
            raw, _, self._data = self._data.partition(b"\0")
            message = json.loads(raw)
            if "method" in message:
                self.events.append((message["method"], message["params"]))
            yield message

    # -- the page --------------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        # The page before is left first: on a busy machine it asked its own agent once more.
        self.call("Page.navigate", url="about:blank")
        self.until("location.href === 'about:blank' && document.readyState === 'complete'")
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {url!r} && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page; return its value."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str, what: str = "") -> Any:
        """Poll until an expression gives something true; return it (of an element: True)."""
        deadline = time.monotonic() + DEADLINE
        while True:
            value = self.run(f"(found => found instanceof Node || found)({script})")
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not {what or script}: {self.complaints()}")
            time.sleep(0.02)

    def text(self, identity: str) -> str:
        """Return the text of an element."""
        return str(self.run(f"document.getElementById({identity!r}).textContent"))

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key; ``text`` is what it types."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38, "End": 35}
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        typed = {"text": text} if text else {}
        if key == "Enter":
            typed = {"text": "\r"}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **typed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type text into what has the focus."""
        self.call("Input.insertText", text=text)

    def look(self, width: int, height: int, *, dark: bool = False, still: bool = True) -> None:
        """Set size and colour scheme; ``still``: the reader wants no motion."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path) -> None:
        """Save what is seen as PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def requests(self) -> list[str]:
        """Return the addresses of everything that was asked for since ``open``."""
        return [
            parameters["request"]["url"]
            for method, parameters in self.events
            if method == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Return exceptions, errors of the console, and refusals of the content policy."""
        self.run("1")  # what was sent before this answer has been read
        found = []
        for method, parameters in self.events:
            if method == "Runtime.exceptionThrown":
                found.append(json.dumps(parameters["exceptionDetails"])[:500])
            elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                found.append(f"{parameters['entry']['text']} {parameters['entry'].get('url')}")
            elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
                found.append(json.dumps(parameters["args"])[:500])
        return found

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Run a browser with a new profile."""
    found = Browser(profile)
    try:
        yield found
    finally:
        found.close()
