"""Many JavaScript modules as one script."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pipeline.gallery.folder.bundle import bundle
from pipeline.gallery.folder.output_folder import REPLACED
from pipeline.gallery.server import STATIC

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def test_each_module_runs_once_after_its_imports(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    write(
        tmp_path,
        main='import { twice, SIZE } from "./b.js";\nimport { name } from "./a.js";\n'
        "const size = 1;\nawait null;\nconsole.log(twice(name), SIZE, size);\n",
        b='import { name } from "./a.js";\nconst size = 2;\nexport const SIZE = 40 + size;\n'
        "export async function other() {}\nexport function twice(x) { return `${x}${name}`; }\n",
        a='console.log("once");\nexport const name = "a";\n',
    )
    script = tmp_path / "out.cjs"
    script.write_text(bundle(tmp_path, "main.js", {}))
    output = subprocess.run(["node", script], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["once", "aa", "42", "1"]


def test_a_module_can_replace_another(tmp_path: Path) -> None:
    write(tmp_path, main='import { x } from "./a.js";\n', a="export const x = 1;\n", b="")
    text = bundle(tmp_path, "main.js", {"a.js": "b.js"})
    assert "const x = 1" not in text
    assert "const { x } = $a;" in text


@pytest.mark.parametrize(
    "line",
    [
        'import x from "./a.js";',
        'import * as x from "./a.js";',
        'import "./a.js";',
        'export { x } from "./a.js";',
        "export default 1;",
        'const x = await import("./a.js");',
        "const here = import.meta.url;",
        'import { x } from "https://elsewhere.example/a.js";',
    ],
)
def test_unsupported_forms_are_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path, main=f"const y = 1;\n{line}\n", a="export const x = 1;\n")
    with pytest.raises(ValueError, match=r"main\.js: this form is not supported"):
        bundle(tmp_path, "main.js", {})


def test_a_cycle_of_imports_is_refused(tmp_path: Path) -> None:
    write(
        tmp_path,
        main='import { a } from "./a.js";\nexport const m = 1;\n',
        a='import { m } from "./main.js";\nexport const a = 1;\n',
    )
    with pytest.raises(ValueError, match="imports itself"):
        bundle(tmp_path, "main.js", {})


def test_the_script_of_the_gallery_has_every_module_and_fetches_nothing() -> None:
    text = bundle(STATIC, "main.js", REPLACED)
    of_server = {"judgements", "plane", "renaming"}  # nothing can be judged in a folder
    instead = {name.removesuffix(".js") for name in REPLACED.values()}
    modules = {path.stem for path in STATIC.glob("*.js")} - of_server - instead
    assert set(re.findall(r"^const \$(\w+) = await", text, re.MULTILINE)) == modules
    assert "fetch(" not in text


def test_the_replacement_of_the_data_module_has_the_same_exports() -> None:
    def exports(name: str) -> set[str]:
        text = (STATIC / name).read_text()
        return set(re.findall(r"^export (?:async )?(?:function|const) (\w+)", text, re.MULTILINE))

    assert exports("folder.js") == exports("data.js") - {"askNumbers"}  # of the map alone


def test_a_folder_has_no_page_audit() -> None:
    text = bundle(STATIC, "main.js", REPLACED)
    assert "const audit = null;" in text
    assert "judgements/" not in text
    assert "rc audit draw" not in text
