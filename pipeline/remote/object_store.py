"""Object stores as remotes: S3 and what speaks like it, and Google Cloud Storage.

Only here is obstore imported. Credentials come from where the tools of the provider look for them;
for S3, from wherever botocore finds them. What an object store says of an error may quote a request
with its signature, so only the kind of the error is ever shown.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore import exceptions
from obstore.store import from_url

from pipeline.remote.folder import damaged
from pipeline.remote.remote import NotThereError
from schemas.errors import ArtifactError, OptionError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from obstore import GetOptions

_PIECE: Final = 8 << 20  # bytes of one request
_MOST_PIECES: Final = 9_000  # S3 takes 10,000 of one file
_TIMEOUT_S: Final = 120  # of one request: a piece at half a megabit a second
_RETRIES: Final = 5
_FRESH: Final = timedelta(minutes=15)  # after this, credentials are asked for again


class ObjectStore:
    """See `pipeline.remote.remote.Remote`."""

    concurrency = 8

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            self._store = from_url(
                url,
                client_options={
                    "timeout": timedelta(seconds=_TIMEOUT_S),
                    "allow_http": _endpoint().startswith("http://"),
                },
                retry_config={"max_retries": _RETRIES},
                **_settings(url),
            )
        except (exceptions.BaseError, ValueError):
            raise OptionError(f"'{url}' is no remote that can be opened") from None

    def read(self, name: str) -> Iterator[bytes]:
        """See `Remote`; in requests of a few megabytes, each of which is tried again."""
        start, end = 0, 1
        with self._asked(name):
            while start < end:
                wanted: GetOptions = {"range": (start, start + _PIECE)}
                answer = obstore.get(self._store, name, options=wanted)
                before, end = start, answer.meta["size"]
                for piece in answer.stream(min_chunk_size=1 << 20):
                    start += len(piece)
                    yield bytes(piece)
                if start == before:
                    raise SourceError(f"{self.url} sends nothing of {name}; try again later")

    def send(self, name: str, file: Path, size: int, digest: str, *, again: bool) -> bool:
        """See `Remote`; what is there counts if it has the size, since its name is its hash.

        S3 gets a checksum with every request, and refuses what arrives otherwise.
        """
        with self._asked(name, to_write=True):
            if not again and self._size(name) == size:
                return False
            pieces = _hashed(file, digest)
            if size <= _PIECE:
                obstore.put(self._store, name, b"".join(pieces))
                return True
            obstore.put(self._store, name, pieces, chunk_size=max(_PIECE, size // _MOST_PIECES))
            there = self._size(name)
        if there != size:
            raise SourceError(
                f"{self.url} has {there} bytes of {file}, and not {size}; run the command again"
            )
        return True

    def create(self, name: str, content: bytes) -> bool:
        """See `Remote`: If-None-Match, which the store itself decides."""
        with self._asked(name, to_write=True):
            try:
                obstore.put(self._store, name, content, mode="create")
            except exceptions.AlreadyExistsError:
                return False
        return True

    def _size(self, name: str) -> int | None:
        try:
            return int(obstore.head(self._store, name)["size"])
        except FileNotFoundError:
            return None

    @contextmanager
    def _asked(self, name: str, *, to_write: bool = False) -> Iterator[None]:
        """Turn what obstore raises into our errors, without a word of what the server said."""
        try:
            yield
        except FileNotFoundError:
            if to_write:
                raise SourceError(f"{self.url} takes no files: there is no such bucket") from None
            raise NotThereError(name) from None
        except exceptions.BaseError as error:
            raise SourceError(f"{self.url} cannot be used: {_kind_of(error)}") from None


def _hashed(file: Path, digest: str) -> Iterator[bytes]:
    """The pieces of a file; an error in the place of its end if they do not have this hash."""
    hashed = hashlib.sha256()
    try:
        with file.open("rb") as source:
            while piece := source.read(_PIECE):
                hashed.update(piece)
                yield piece
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror}") from None
    if hashed.hexdigest() != digest:
        raise ArtifactError(damaged(file))


def _kind_of(error: exceptions.BaseError) -> str:
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        return "it refuses these credentials; check those in the environment"
    status = re.search(r"status code: (\d{3})", str(error))
    if status:
        return f"it answers with HTTP status {status[1]}; run the command again to resume"
    return "it gives no answer that can be used; check the network, then run the command again"


def _settings(url: str) -> dict[str, Any]:
    """What only S3 needs: checksums, and the credentials that botocore finds."""
    if not url.startswith("s3://"):
        return {}
    settings: dict[str, Any] = {"checksum_algorithm": "SHA256"}
    if endpoint := _endpoint():
        settings["endpoint"] = endpoint
    if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true"):  # of a public bucket
        return settings
    from botocore.exceptions import BotoCoreError
    from botocore.session import get_session

    session = get_session()
    try:
        found, region = session.get_credentials(), session.get_config_variable("region")
    except BotoCoreError as error:
        raise SourceError(
            f"the credentials for {url} cannot be read ({type(error).__name__}): check "
            "AWS_PROFILE, and the files of the AWS tools"
        ) from None
    if found is None:
        raise SourceError(
            f"there are no credentials for {url}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or AWS_PROFILE; for a public bucket, AWS_SKIP_SIGNATURE=true"
        )
    if region:
        settings["region"] = region
    return {**settings, "credential_provider": _provider(found)}


def _provider(found: Any) -> Callable[[], Any]:
    """What obstore asks for credentials: botocore renews those of roles."""

    def now() -> dict[str, Any]:
        frozen = found.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _FRESH,
        }

    return now


def _endpoint() -> str:
    """Another server than the provider's, as its tools are told of it."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
