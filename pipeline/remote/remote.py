"""A remote: where artifacts are pushed to and pulled from, as three operations on names.

Files lie under their hash (`files/3f/3f9c…`), so what is there is never sent twice, whichever
artifact has it, and nobody changes what another one sent. The manifest of an artifact lies under
its address, and is created once: until then the artifact is not there. Nothing is ever listed,
renamed or deleted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from pipeline.store import manifest as manifests
from schemas.errors import ArtifactError, OptionError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMES: Final = ("s3", "gs")
MISSING_EXTRA: Final = "install the extra: pip install 'regionclip-toolkit[remote]'"


class NotThereError(LookupError):
    """Nothing has this name in the remote."""


class Remote(Protocol):
    """What push and pull need of a remote. Names are relative, with `/` between their parts.

    Attributes:
        url: As messages name it.
        concurrency: How many files may be on their way at once.
    """

    url: str
    concurrency: int

    def read(self, name: str) -> Iterator[bytes]:
        """What lies under a name, in pieces.

        Raises:
            NotThereError: If nothing does.
            SourceError: If the remote does not answer, or refuses.
        """
        ...

    def send(self, name: str, file: Path, size: int, digest: str, *, again: bool) -> bool:
        """Put a file under a name that holds its hash; whether it was sent.

        Args:
            name: In the remote.
            file: On this machine.
            size: Its bytes.
            digest: Its SHA-256, in hexadecimal.
            again: Send it also if it is there.

        Raises:
            ArtifactError: If the file does not have this hash; then nothing is there.
            SourceError: If the remote does not answer, or refuses.
        """
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Put bytes under a name if nothing is there; whether nothing was.

        Raises:
            SourceError: If the remote does not answer, or refuses; they may be there all the same.
        """
        ...


def open_remote(url: str) -> Remote:
    """The remote of a URL, or of the path of a folder.

    Raises:
        OptionError: If it is none, or holds what should not be on a command line.
        SourceError: If it cannot be used from here.
    """
    from pipeline.remote.folder import Folder

    scheme, separator, _ = url.partition("://")
    if not separator:
        return Folder(Path(url).expanduser())
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise OptionError(
            f"a remote is {scheme}://BUCKET/FOLDER and nothing else: credentials are taken from "
            "the environment or the files of the provider's own tools, never from the command line"
        )
    if scheme not in SCHEMES or not parts.netloc:
        known = ", ".join(f"{known}://BUCKET/FOLDER" for known in SCHEMES)
        raise OptionError(f"'{url}' is no remote: write {known} or the path of a folder")
    try:
        from pipeline.remote.object_store import ObjectStore

        return ObjectStore(url)
    except ImportError as error:
        raise OptionError(f"{url} needs {error.name or 'obstore'}; {MISSING_EXTRA}") from None


def file_name(digest: str) -> str:
    """Where a file lies in a remote."""
    return f"files/{digest[:2]}/{digest}"


def manifest_name(address: str) -> str:
    """Where the manifest of an artifact lies in a remote."""
    return f"artifacts/{address}/{manifests.NAME}"


def read_whole(remote: Remote, name: str, most: int) -> bytes | None:
    """All that lies under a name; None if nothing does.

    Args:
        remote: The remote.
        name: In it.
        most: Bytes; who sends more is not listened to.

    Raises:
        ArtifactError: If it is longer.
        SourceError: If the remote does not answer, or refuses.
    """
    content = bytearray()
    try:
        for piece in remote.read(name):
            content += piece
            if len(content) > most:
                raise ArtifactError(f"{name} in {remote.url} is longer than {most:,} bytes")
    except NotThereError:
        return None
    return bytes(content)


def create_once(remote: Remote, name: str, content: bytes, most: int) -> bytes:
    """What lies under a name in the end: these bytes, or those of whoever was faster.

    A reply may be lost although the bytes arrived; so after any other reply than success, what is
    there is read.

    Args:
        remote: The remote.
        name: In it.
        content: To be there.
        most: Bytes that may be there.

    Raises:
        ArtifactError: If there are more.
        SourceError: If nothing is there, or it cannot be read.
    """
    failure = None
    try:
        if remote.create(name, content):
            return content
    except SourceError as error:
        failure = error
    there = read_whole(remote, name, most)
    if there is None:
        raise failure or SourceError(f"{remote.url} neither takes {name} nor has one")
    return there
