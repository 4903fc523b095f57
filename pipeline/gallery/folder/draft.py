"""A folder while it is written: pages, answers as scripts, pixels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.gallery.folder.bundle import bundle
from pipeline.sql.json_values import json_value
from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Callable

_STATIC: Final = Path(__file__).parents[1] / "static"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'"
)
_CHANGES: Final = (  # of the page that a server sends
    ('type="module" src="static/main.js"', 'defer src="static/gallery.js"'),
    ("<head>", f'<head>\n  <meta http-equiv="content-security-policy" content="{POLICY}">'),
)


class Draft:
    """Writes into `folder`, which exists and is empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("data", "pictures", "static"):
            (folder / name).mkdir()

    def pages(self) -> None:
        """The page, its style and its script."""
        static = self._folder / "static"
        shutil.copyfile(_STATIC / "app.css", static / "app.css")
        script = bundle(_STATIC, "main.js", {"data.js": "folder.js"})
        (static / "gallery.js").write_text(script, encoding="utf-8")
        page = (_STATIC / "index.html").read_text(encoding="utf-8")
        for before, after in _CHANGES:
            page = page.replace(before, after)
        (self._folder / "index.html").write_text(page, encoding="utf-8")

    def put(self, name: str, answer: Callable[[], Any]) -> Any:
        """Write an answer, or the sentence that says why there is none; what was answered.

        It lies in a script, for a page opened from disk may read nothing else, but as text that is
        parsed as JSON: nothing that the store holds is run.
        """
        try:
            told = json_value(answer())
        except RCError as error:
            told = {"problem": str(error)}
        words = json.dumps(json.dumps(told, allow_nan=False))
        (self._folder / "data" / f"{name}.js").write_text(f'put("{name}", {words});\n')
        return told

    def picture(self, name: str, content: bytes) -> None:
        """Write a picture."""
        (self._folder / "pictures" / name).write_bytes(content)
