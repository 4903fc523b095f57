"""Who may send requests to the gallery, and the headers of every response."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from pipeline.gallery.guard import POLICY, Guard

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

HOST = "localhost:8000"
CONTENT = "the content of the store"


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(CONTENT)(scope, receive, send)


def client(*hosts: str, anywhere: bool = False) -> TestClient:
    """A client of a guarded page, under the first of its names."""
    return TestClient(Guard(page, hosts, anywhere=anywhere), base_url=f"http://{hosts[0]}")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("HEAD", {}, 200),
        ("GET", {"host": HOST.upper()}, 200),
        ("GET", {"origin": f"http://{HOST}"}, 200),
        ("GET", {"host": "evil.example"}, 403),
        ("GET", {"host": "localhost:2"}, 403),
        ("GET", {"host": "localhost"}, 403),
        ("GET", {"host": f"{HOST}.evil.example"}, 403),
        ("GET", {"host": ""}, 403),
        ("GET", {"origin": "https://evil.example"}, 403),
        ("GET", {"origin": "null"}, 403),
        ("POST", {}, 405),
        ("DELETE", {}, 405),
        ("OPTIONS", {}, 405),
    ],
)
def test_only_reading_requests_of_its_own_pages_are_allowed(
    method: str, headers: dict[str, str], status: int
) -> None:
    answer = client(HOST).request(method, "/", headers=headers)
    assert answer.status_code == status
    assert (CONTENT in answer.text) == (status == 200 and method == "GET")


OURS = {"origin": f"http://{HOST}", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/judgements/first", OURS, 200),
        ("/judgements/first", {**OURS, "content-type": "application/json; charset=utf-8"}, 200),
        ("/judgements/first", {**OURS, "origin": "https://evil.example"}, 403),
        ("/judgements/first", {**OURS, "origin": f"http://{HOST}.evil.example"}, 403),
        ("/judgements/first", {**OURS, "origin": "null"}, 403),
        ("/judgements/first", {"content-type": "application/json"}, 403),
        ("/judgements/first", {**OURS, "host": "evil.example"}, 403),
        ("/judgements/first", {**OURS, "content-type": "text/plain"}, 403),
        ("/judgements/first", {**OURS, "content-type": "application/x-www-form-urlencoded"}, 403),
        ("/judgements/first", {"origin": f"http://{HOST}"}, 403),
        ("/judgements", OURS, 405),
        ("/api/overview", OURS, 405),
        ("/picture/full", OURS, 405),
    ],
)
def test_only_pages_of_the_gallery_may_judge(
    path: str, headers: dict[str, str], status: int
) -> None:
    answer = client(HOST).post(path, content=b"{}", headers=headers)
    assert answer.status_code == status
    assert (CONTENT in answer.text) == (status == 200)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_no_other_method_reaches_a_journal(method: str) -> None:
    answer = client(HOST).request(method, "/judgements/first", headers=OURS)
    assert answer.status_code == 405  # so a browser that asks whether another site may gets a no
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "headers", "sentence"),
    [
        ("POST", {}, "The gallery is read-only, but for judgements: use GET or HEAD."),
        ("GET", {"host": "x"}, "The gallery does not answer to this name; use the address it"),
        ("GET", {"origin": "http://x"}, "Another site may not read the gallery."),
    ],
)
def test_a_refused_request_gets_a_reason(
    method: str, headers: dict[str, str], sentence: str
) -> None:
    assert client(HOST).request(method, "/", headers=headers).text.startswith(sentence)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_response_has_the_security_headers(method: str) -> None:
    headers = client(HOST).request(method, "/").headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-type"].startswith("text/plain")


def test_the_policy_allows_no_inline_script_and_no_other_site() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert rules["default-src"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.0.2.7:8000", 200),
        ("192.0.2.7", 200),
        ("[2001:db8::1]:8000", 200),
        ("[2001:db8::1]", 200),
        ("mine:8000", 200),
        ("evil.example:8000", 403),
        ("192.0.2.7.evil.example", 403),
        ("192.0.2.7:port", 403),
        ("999.0.2.7", 403),
        ("", 403),
    ],
)
def test_a_gallery_on_all_addresses_accepts_ip_addresses_and_its_own_name(
    host: str, status: int
) -> None:
    answer = client("mine:8000", anywhere=True).get("/", headers={"host": host})
    assert answer.status_code == status


def test_an_ip_address_is_refused_unless_the_gallery_listens_on_all() -> None:
    assert client(HOST).get("/", headers={"host": "192.0.2.7:8000"}).status_code == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "127.0.0.1:80"])
def test_the_default_port_may_be_left_out(name: str) -> None:
    assert client("127.0.0.1:80").get("/", headers={"host": name}).status_code == 200
    assert client("127.0.0.1").get("/", headers={"host": name}).status_code == 200
    assert client("127.0.0.1:80").get("/", headers={"host": "127.0.0.2"}).status_code == 403


def test_messages_that_are_not_http_pass_unchanged() -> None:
    calls: list[Any] = []

    async def application(*arguments: Any) -> None:
        calls.append(arguments)

    guard = Guard(application, [HOST])
    lifespan: Any = {"type": "lifespan"}
    asyncio.run(guard(lifespan, "receive", "send"))  # type: ignore[arg-type]
    assert calls == [(lifespan, "receive", "send")]
