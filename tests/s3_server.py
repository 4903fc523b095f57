"""A real S3 server, moto's, on 127.0.0.1, that notes every request and can be told to misbehave."""

from __future__ import annotations

import threading
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import obstore
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from obstore.store import S3Store
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BUCKET = "bucket"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrSECRET"}


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


@dataclass
class S3Server:
    """The server.

    Attributes:
        url: Of the endpoint.
        requests: That it got.
        instead: Gives the answer to a request, before the server sees it; None: let it through.
        after: The same, when the server has done what was asked: its answer is lost.
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    instead: Callable[[Request], Response | None] = lambda _: None
    after: Callable[[Request], Response | None] = lambda _: None

    def __post_init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = {key[5:].lower(): str(value) for key, value in environ.items() if "HTTP_" in key}
        request = Request(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], headers
        )
        self.requests.append(request)
        if answer := self.instead(request):
            return answer(environ, start_response)
        if self.after is S3Server.after:
            return self._app(environ, start_response)
        done = Response.from_app(self._app, environ)
        return (self.after(request) or done)(environ, start_response)

    @property
    def folder(self) -> str:
        """A folder of the bucket."""
        return f"s3://{BUCKET}/team/store"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the tools of the provider to it."""
        region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
        return {**CREDENTIALS, **region, "AWS_ENDPOINT_URL": self.url}

    def reset(self) -> None:
        """An empty bucket, no requests, no misbehaving."""
        self.instead = self.after = lambda _: None
        for method, path in (("POST", "/moto-api/reset"), ("PUT", f"/{BUCKET}")):
            request = urllib.request.Request(self.url + path, method=method)
            urllib.request.urlopen(request, timeout=60).close()
        self.requests.clear()

    def put(self, name: str, content: bytes) -> None:
        """Make an object what somebody else made it."""
        obstore.put(self._store(), name, content)

    def get(self, name: str) -> bytes:
        """The content of an object."""
        return bytes(obstore.get(self._store(), name).bytes())

    def delete(self, name: str) -> None:
        """Delete an object."""
        obstore.delete(self._store(), name)

    def names(self) -> list[str]:
        """Of all objects."""
        return sorted(one["path"] for page in obstore.list(self._store()) for one in page)

    def _store(self) -> Any:
        return S3Store(
            BUCKET,
            endpoint=self.url,
            region="us-east-1",
            client_options={"allow_http": True},
            access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def stop(self) -> None:
        """Stop it, and wait until it has."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any, **__: Any) -> None:
        pass
