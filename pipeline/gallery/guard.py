"""The guard of the gallery: who may send requests, with which method, and what a page may do.

A page of another site that the user visits must not be able to read the store through the browser
of the user, nor to judge in an audit. So the Host must be one of our names (against DNS rebinding),
and so must the Origin, if there is one. Only judgements, of one label or of many, change anything:
they are sent by POST, and browsers send an Origin with each POST, so one without is refused. A
judgement is JSON, which a form of another site cannot send. All else is GET and HEAD.
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
JUDGEMENTS: Final = "/judgements/"  # where POST is allowed
MARKS: Final = "/marks/"  # likewise: judgements of many labels at once
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Middleware that refuses requests that do not come from the pages of the gallery.

    Args:
        app: The application behind it.
        hosts: Names of the gallery, with port.
        anywhere: Whether it listens on all addresses of the machine: then any IP address is
            accepted as Host, but no other name, which somebody else could point to this machine.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], *, anywhere: bool = False) -> None:
        self._app, self._anywhere = app, anywhere
        self._hosts = {_without_80(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, as ASGI defines it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
        else:
            status, sentence = refusal
            await PlainTextResponse(sentence, status)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and message of a refused request; None if it is allowed."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        judges = scope["method"] == "POST" and scope["path"].startswith((JUDGEMENTS, MARKS))
        if scope["method"] not in ("GET", "HEAD") and not judges:
            return 405, "The gallery is read-only, but for judgements: use GET or HEAD."
        if not self._is_our_host(headers.get("host", "")):
            return 403, "The gallery does not answer to this name; use the address it printed."
        origin = headers.get("origin")
        if origin is not None and not self._is_our_host(origin.partition("://")[2]):
            return 403, "Another site may not read the gallery."
        if judges and (origin is None or not _is_json(headers.get("content-type", ""))):
            return 403, "A judgement is JSON, sent by a page of the gallery."
        return None

    def _is_our_host(self, host: str) -> bool:
        return _without_80(host) in self._hosts or (self._anywhere and _is_address(host))


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _without_80(host: str) -> str:
    """A name as browsers send it: without the default port."""
    return host.lower().removesuffix(":80")


def _is_address(host: str) -> bool:
    """Whether a Host is an IP address, with or without a port, and not a domain name."""
    bare = host.rpartition(":")[0] if re.search(r":\d+$", host) and not host.endswith("]") else host
    try:
        ip_address(bare.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
