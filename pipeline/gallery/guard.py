"""The guard of the gallery: who may ask, with which method, and what a page may do.

A page of another site that the user visits must not be able to read the store through their
browser: the Host must be ours (so no name that someone else points here), and an Origin, where one
is sent, too. Nothing is changed by any request, so there are only GET and HEAD.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Wraps the application; refuses what does not come from its own pages.

    Args:
        app: What is guarded.
        hosts: Names, with port, under which the gallery is reached.
        anywhere: Whether it listens on all addresses of the machine: then any of them will do as a
            name, but no other word, which somebody else could point here.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], *, anywhere: bool = False) -> None:
        self._app, self._anywhere = app, anywhere
        self._hosts = {_without_80(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        problem = self._problem(scope)
        if problem is None:
            await self._app(scope, receive, guarded)
        else:
            status, sentence = problem
            await PlainTextResponse(sentence, status)(scope, receive, guarded)

    def _problem(self, scope: Scope) -> tuple[int, str] | None:
        """Status and sentence for a request that is refused."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "The gallery only shows: GET and HEAD are all there is."
        if not self._ours(headers.get("host", "")):
            return 403, "The gallery does not answer to this name; use the address it printed."
        origin = headers.get("origin")
        if origin is not None and not self._ours(origin.partition("://")[2]):
            return 403, "Another site may not read the gallery."
        return None

    def _ours(self, host: str) -> bool:
        return _without_80(host) in self._hosts or (self._anywhere and _is_address(host))


def _without_80(host: str) -> str:
    """A name as browsers send it: without the port that goes without saying."""
    return host.lower().removesuffix(":80")


def _is_address(host: str) -> bool:
    """Whether a Host is a number, with or without a port: no name that anyone could own."""
    bare = host.rpartition(":")[0] if re.search(r":\d+$", host) and not host.endswith("]") else host
    try:
        ip_address(bare.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
