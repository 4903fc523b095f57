"""The files of a gallery folder: pages, answers as scripts, pictures."""

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
REPLACED: Final = {  # modules; nothing can be judged in a folder
    "data.js": "folder.js",
    "audit.js": "no_audit.js",
    "map.js": "no_map.js",
    "marking.js": "no_marking.js",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'"
)
_REPLACEMENTS: Final = (  # in the page of the server
    ('type="module" src="static/main.js"', 'defer src="static/gallery.js"'),
    ("<head>", f'<head>\n  <meta http-equiv="content-security-policy" content="{_POLICY}">'),
)


class OutputFolder:
    """Writes the files of a gallery into `folder`, which must exist and be empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("data", "pictures", "static"):
            (folder / name).mkdir()

    def write_pages(self) -> None:
        """Write the page, its style sheet and its script."""
        static = self._folder / "static"
        shutil.copyfile(_STATIC / "app.css", static / "app.css")
        script = bundle(_STATIC, "main.js", REPLACED)
        (static / "gallery.js").write_text(script, encoding="utf-8")
        page = (_STATIC / "index.html").read_text(encoding="utf-8")
        for before, after in _REPLACEMENTS:
            page = page.replace(before, after)
        (self._folder / "index.html").write_text(page, encoding="utf-8")

    def write_answer(self, name: str, compute: Callable[[], Any]) -> Any:
        """Write an answer, or the sentence that says why there is none, and return it.

        The file is a script, because a page opened from disk can read nothing else. The answer is
        in it as a string that the page parses as JSON, so no content of the store is ever run.
        """
        try:
            answer = json_value(compute())
        except RCError as error:
            answer = {"problem": str(error)}
        literal = json.dumps(json.dumps(answer, allow_nan=False))
        (self._folder / "data" / f"{name}.js").write_text(f'put("{name}", {literal});\n')
        return answer

    def write_picture(self, name: str, content: bytes) -> None:
        """Write a picture."""
        (self._folder / "pictures" / name).write_bytes(content)
