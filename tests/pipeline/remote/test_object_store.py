"""What is special about object stores: checksums, credentials, errors that say nothing secret."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from werkzeug.wrappers import Response

from pipeline.remote.remote import open_remote
from schemas.errors import OptionError, SourceError
from tests.s3_server import CREDENTIALS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3_server import Request, S3Server

LARGE = b"12345678" * (2 << 20)  # 16 MB: two pieces


def send(url: str, file: Path, content: bytes) -> bool:
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return open_remote(url).send("files/x", file, len(content), digest, again=False)


@pytest.mark.parametrize("content", [b"x", LARGE], ids=["small", "large"])
def test_every_upload_has_a_checksum_that_the_server_can_check(
    s3: S3Server, bucket: str, tmp_path: Path, content: bytes
) -> None:
    assert send(bucket, tmp_path / "file", content)
    uploads = [request for request in s3.requests if request.method == "PUT"]
    assert len(uploads) == (1 if content == b"x" else 2)
    assert all("x_amz_checksum_sha256" in request.headers for request in uploads)


def test_an_object_that_is_shorter_is_sent_again(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    s3.put("team/store/files/x", b"hel")
    assert send(bucket, tmp_path / "file", b"hello")
    assert s3.get("team/store/files/x") == b"hello"


SAID = b"<Error><AWSAccessKeyId>AKID</AWSAccessKeyId><StringToSign>geheim</StringToSign></Error>"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (403, "it refuses these credentials; check those in the environment"),
        (400, "it answers with HTTP status 400; run the command again to resume"),
    ],
)
def test_an_error_never_repeats_what_the_server_said(
    s3: S3Server, bucket: str, tmp_path: Path, status: int, sentence: str
) -> None:
    s3.instead = lambda _: Response(SAID, status)
    with pytest.raises(SourceError) as error:
        open_remote(bucket).create("x", b"")
    assert str(error.value) == f"{bucket} cannot be used: {sentence}"
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_a_profile_that_is_not_there_is_one_sentence(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceError, match=r"cannot be read \(ProfileNotFound\): check AWS_PROFILE"):
        open_remote(bucket)


def test_the_endpoint_for_s3_alone_wins(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert open_remote(bucket).create("x", b"1")


def test_a_request_that_failed_is_tried_again(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    failures = [Response(b"", 503), Response(b"", 500)]

    def fail(_: Request) -> Response | None:
        return failures.pop() if failures else None

    s3.instead = fail
    assert send(bucket, tmp_path / "file", b"hello")
    assert s3.get("team/store/files/x") == b"hello"


def test_credentials_come_from_a_profile_too(
    s3: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    (tmp_path / "aws").write_text(
        "[team]\naws_access_key_id = AKIDTEAM\naws_secret_access_key = x\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    assert send(bucket, tmp_path / "file", b"hello")
    assert all("Credential=AKIDTEAM/" in one.headers["authorization"] for one in s3.requests)


def test_without_credentials_one_sentence_says_where_they_go(
    s3: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SourceError, match="there are no credentials for s3://bucket/team/store: s"):
        open_remote(bucket)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert open_remote(bucket).create("x", b"")
    assert all("authorization" not in request.headers for request in s3.requests)


def test_a_server_that_sends_all_where_a_part_was_asked_for_is_not_listened_to(
    s3: S3Server, bucket: str
) -> None:
    s3.instead = lambda _: Response(b"x" * 100)
    with pytest.raises(SourceError, match="it gives no answer that can be used; check the network"):
        list(open_remote(bucket).read("files/x"))


def test_a_url_that_obstore_refuses_is_one_sentence(s3: S3Server) -> None:
    with pytest.raises(OptionError, match="'s3://a b/x' is no remote that can be opened"):
        open_remote("s3://a b/x")
