"""A web server on 127.0.0.1 that has a few files, with or without ranges, ETags and times."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class WebFiles:
    """What the server has, and how it answers.

    Attributes:
        files: By path.
        headers: Of every answer, such as ETag.
        has_ranges: Whether it sends parts of files.
        breaks_at: Bytes of a body after which it closes the connection.
        url: Of the server.
        sent: Bytes of bodies.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"1"'})
    has_ranges: bool = True
    breaks_at: int | None = None
    url: str = ""
    sent: int = 0


class _Handler(BaseHTTPRequestHandler):
    web: WebFiles

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        content = self.web.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and self.web.has_ranges:
            first, last = int(asked[1]), int(asked[2] or len(content) - 1)
            whole, content = len(content), content[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{first + len(content) - 1}/{whole}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes" if self.web.has_ranges else "none")
        self.send_header("Content-Length", str(len(content)))
        for name, value in self.web.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            body = content[: self.web.breaks_at]
            self.web.sent += len(body)
            self.close_connection = len(body) < len(content)
            with suppress(ConnectionError):  # the reader has enough
                self.wfile.write(body)


@contextmanager
def web_server(web: WebFiles) -> Iterator[WebFiles]:
    """Serve these files, as long as the block runs."""
    handler = type("Handler", (_Handler,), {"web": web})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        web.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
