"""A headless Chromium that tests talk to: open a page, press keys, ask what it sees.

It speaks the browser's own protocol over two pipes, messages of JSON with a zero byte between.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip

# The browser reads from 3 and writes to 4; what lies there now may be the pipes themselves.
_LAUNCH = (
    "import os, sys; from fcntl import F_DUPFD, fcntl; "
    "given, taken = (fcntl(int(word), F_DUPFD, 10) for word in sys.argv[1:3]); "
    "os.dup2(given, 3); os.dup2(taken, 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """One page of a browser, as wide and high as asked for; leave it with `close`."""

    def __init__(self, width: int = 1200, height: int = 900) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self._folder = tempfile.mkdtemp(prefix="gallery-")

        words = [
            str(CHROMIUM),
            f"--user-data-dir={self._folder}",
            f"--window-size={width},{height}",
            *_SWITCHES,
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(theirs_in), str(theirs_out), *words],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._read, self._write = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self._sent, self._held = 0, b""
        self.complaints: list[str] = []
        page = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for room in ("Page", "Runtime", "Log"):
            self._send(f"{room}.enable")
        self._send("Emulation.setFocusEmulationEnabled", enabled=True)
        self.resize(width, height)

    def close(self) -> None:
        """End the browser and remove what it kept."""
        self._process.kill()
        self._process.wait()
        self._read.close()
        self._write.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def resize(self, width: int, height: int = 900) -> None:
        """Make the page as wide and high as told."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._send("Emulation.setDeviceMetricsOverride", **size)

    def open(self, address: str) -> None:
        """Go to an address and wait until its page is drawn."""
        self.complaints.clear()
        self._send("Page.navigate", url="about:blank")
        self._send("Page.navigate", url=address)
        self.until("document.querySelector('[data-ready]') !== null")

    def see(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = 20) -> None:
        """Wait until an expression is true in the page."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.see(expression):
                return
            time.sleep(0.05)
        raise AssertionError(f"after {seconds} s it is not so: {expression}")

    def press(self, key: str) -> None:
        """A key, pressed and let go."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._send("Input.dispatchKeyEvent", type=kind, key=key, code=key, **text)

    def point(self, selector: str) -> None:
        """The pointer, moved onto the middle of an element."""
        x, y = self.see(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        self._send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def _send(self, method: str, **given: Any) -> Any:
        return self._ask(method, self._session, **given)

    def _ask(self, method: str, session: str | None = None, **given: Any) -> Any:
        self._sent += 1
        message: dict[str, Any] = {"id": self._sent, "method": method, "params": given}
        if session:
            message["sessionId"] = session
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            heard = self._next()
            if heard.get("id") == self._sent:
                if "error" in heard:
                    raise AssertionError(f"{method}: {heard['error']['message']}")
                return heard["result"]
            self._note(heard)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            more = os.read(self._read.fileno(), 1 << 16)
            if not more:
                raise AssertionError("the browser is gone")
            self._held += more
        message, _, self._held = self._held.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, heard: dict[str, Any]) -> None:
        """Keep what the page complains of."""
        if heard.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(heard["params"]["exceptionDetails"])[:400])
        if heard.get("method") == "Log.entryAdded" and heard["params"]["entry"]["level"] == "error":
            self.complaints.append(heard["params"]["entry"]["text"])
