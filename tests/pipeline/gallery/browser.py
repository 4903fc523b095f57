"""A headless Chromium for tests: open pages, press keys, evaluate expressions.

It uses the Chrome DevTools Protocol over two pipes: JSON messages, each followed by a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from tests.waiting import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip

# The browser reads from descriptor 3 and writes to 4, which may be in use by the pipes themselves.
_LAUNCH = (
    "import os, sys; from fcntl import F_DUPFD, fcntl; "
    "read, write = (fcntl(int(word), F_DUPFD, 10) for word in sys.argv[1:3]); "
    "os.dup2(read, 3); os.dup2(write, 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """One page of a browser with a given size; `close` ends it."""

    def __init__(self, width: int = 1200, height: int = 900) -> None:
        own_in, browser_out = os.pipe()
        browser_in, own_out = os.pipe()
        self._folder = tempfile.mkdtemp(prefix="gallery-")

        command = [
            str(CHROMIUM),
            f"--user-data-dir={self._folder}",
            f"--window-size={width},{height}",
            *_SWITCHES,
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(browser_in), str(browser_out), *command],
            pass_fds=(browser_in, browser_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(browser_in)
        os.close(browser_out)
        self._read, self._write = os.fdopen(own_in, "rb"), os.fdopen(own_out, "wb")
        self._num_sent, self._buffer = 0, b""
        self.errors: list[str] = []
        page = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._send(f"{domain}.enable")
        self._send("Emulation.setFocusEmulationEnabled", enabled=True)
        self.resize(width, height)

    def close(self) -> None:
        """End the browser and remove its profile."""
        self._process.kill()
        self._process.wait()
        self._read.close()
        self._write.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def resize(self, width: int, height: int = 900) -> None:
        """Set the width and height of the page."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._send("Emulation.setDeviceMetricsOverride", **size)

    def open(self, address: str) -> None:
        """Go to an address and wait until its page is rendered."""
        self.errors.clear()
        self._send("Page.navigate", url="about:blank")
        self._send("Page.navigate", url=address)
        self.wait_until("document.querySelector('[data-ready]') !== null")

    def prefer(self, scheme: str) -> None:
        """Let the system be in `dark` or `light` mode."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._send("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode(self._send("Page.captureScreenshot")["data"])

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def wait_until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        until(lambda: self.evaluate(expression), f"this never became true: {expression}")

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._send("Input.dispatchKeyEvent", type=kind, key=key, code=key, **text)

    def hover(self, selector: str) -> None:
        """Move the pointer to the middle of an element."""
        x, y = self.evaluate(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        self._send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def move(self, x: float, y: float) -> None:
        """Move the pointer to a place of the page."""
        self._send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def drag(self, places: list[tuple[float, float]], modifiers: int = 0) -> None:
        """Press the pointer at the first place, move it through the others, and release it.

        Args:
            places: In pixels of the page.
            modifiers: 8 for Shift, 2 for Ctrl, added up.
        """
        moves = ["mousePressed", *["mouseMoved"] * (len(places) - 1), "mouseReleased"]
        for kind, (x, y) in zip(moves, [*places, places[-1]], strict=True):
            pressed = {"button": "left", "buttons": 1, "clickCount": 1, "modifiers": modifiers}
            self._send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    def wheel(self, x: float, y: float, down: float) -> None:
        """Turn the wheel at a place."""
        self._send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=down)

    def seconds(self) -> float:
        """Seconds of a core that the page took so far, however busy the machine is."""
        self._send("Performance.enable", timeDomain="threadTicks")
        metrics = {m["name"]: m["value"] for m in self._send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"])

    def _send(self, method: str, **parameters: Any) -> Any:
        return self._ask(method, self._session, **parameters)

    def _ask(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        self._num_sent += 1
        message: dict[str, Any] = {"id": self._num_sent, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            reply = self._next()
            if reply.get("id") == self._num_sent:
                if "error" in reply:
                    raise AssertionError(f"{method}: {reply['error']['message']}")
                return reply["result"]
            self._record_error(reply)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._read.fileno(), 1 << 16)
            if not chunk:
                raise AssertionError("the browser has ended")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        reply: dict[str, Any] = json.loads(message)
        return reply

    def _record_error(self, reply: dict[str, Any]) -> None:
        """Keep the error of a message, if it reports one."""
        if reply.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(reply["params"]["exceptionDetails"])[:400])
        if reply.get("method") == "Log.entryAdded" and reply["params"]["entry"]["level"] == "error":
            self.errors.append(reply["params"]["entry"]["text"])
