"""House rules that hold for every line of the project."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import fields
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.app import make_app
from pipeline.cli.reference import commands_page, tables_page
from pipeline.cli.run_options import RUN_OPTIONS
from pipeline.store.tables import all_tables
from pipeline.verbs import VERBS
from stages.base import Reads
from stages.option import option_types

if TYPE_CHECKING:
    from pipeline.verbs import Verb

ROOT = Path(__file__).parents[1]
FLOORS = ("schemas", "stages", "pipeline")
MODULES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.split("\n")
PAGES = [ROOT / name for name in TRACKED if name.endswith(".md")]
# Words in names of modules that are neither in docs/glossary.md nor verbs of the pipeline.
PLAIN_WORDS = set(
    re.findall(
        r"\w+",
        """
        actors additions aligned alignment allocation analysis anchor anchors and animals
        annotations api app architecture architectures arrays atomic attention augment average
        backbones backgrounds bar blas bootstrap box building bundle cache calibration canvas
        catalog categories cell changed checkpoints checks cleaning clip coco collector columns
        compare comparison compounds conclusion conditions config confusions connection contact
        convnext convolutional corpus count counts creation curves cvat data database decisions
        deltas demo dense detectron2 device diff digest disk distributed document download draw
        dump duplicates encoding engines environment errors estimation evaluated evaluation exact
        expectations export exported extraction failure fastvit fields figures file files find
        findings folder food form format formats frames free full geometry given gradient grammar
        grey grid group groups guard hash hdf5 headline health help home ids if imported in index
        init inputs intervals jieba joined journal jpeg json key keys kind kitchen known labelled
        language late launch layout lemmas limited limits lineage lists loop lvis main manifest
        maps matches matching members memory mentioned metadata metrics mirroring missing
        mobileclip model name named names neighbours network noun nouns numbers numpy object on
        onnx optimisers option options order other outcome output own page pages pairs pandas
        parquet parser parsers patterns perceptron phrases pickle pictures pixel pixels plain plane
        planning plants play plot plots pooled pooling precision predicate prefetching preprocess
        preprocessing pretraining probe process progress protocols provenance pull push pushed
        queries query random ranking ray recall record records reference relations remote rendering
        report resizing resnet result results retry reuse reviewed row rule run runner running same
        sample samples scans schedule search sections seeds segmentation selecting self server
        session set shape shapes sheets show sides signals similar size slice source sources spacy
        spec spectra spill splits sprite sql stage statements statistics store strata streams
        street studio suggestions suppression survey synonyms syntax tagger tags tallies tar
        targets task tensorboard terminal text threshold timm token tokenizer tokens torchscript
        tower towers training treebank tsv unfinished union usable values vectors vehicles verbs
        verdicts vit warning webdataset what words writer writers xml yolo
        """,
    )
)
# Modules without a test file of their own, and where they are tested instead.
WITHOUT_TESTS = {
    **dict.fromkeys(
        (
            "stages/text/parser_training/nouns.py",
            "stages/text/parser_training/other_words.py",
        ),
        "lists of words: tests/stages/text/parser_training/test_vocabulary.py",
    ),
    **{
        f"stages/synthetic/shapes_{kind}.py": "one gallery: tests/stages/synthetic/test_shapes.py"
        for kind in ["animals", "food", "home", "kitchen", "plants", "play", "street", "vehicles"]
    },
    "pipeline/execution/part_recipes.py": "growth: tests/pipeline/execution/test_reuse.py",
    "pipeline/execution/planning.py": "a run plans: tests/pipeline/execution/test_runner.py",
    "stages/sources/slice_digest.py": "growth: tests/pipeline/execution/test_reuse.py",
    "stages/training/config.py": "fields alone: tests/stages/training/test_options.py fills them",
}
VERB = pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
MODULE = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@VERB
def test_one_word_names_the_stage_everywhere(verb: Verb) -> None:
    stage, word = verb.load(), verb.word
    tables = {table.name for table in all_tables()}
    assert stage.name == verb.name
    assert stage.__module__ == f"stages.{word}"
    assert stage.__name__ == word.title().replace("_", "")
    assert (ROOT / "tests" / "stages" / f"test_{word}.py").exists()
    for table in filter(None, (stage.writes, stage.drafts)):
        assert table.name in tables  # and every table is a view: tests/pipeline/test_sql.py
        assert (ROOT / "schemas" / f"{table.name}.py").exists()


@VERB
def test_help_says_what_the_class_says(verb: Verb) -> None:
    assert verb.help == (inspect.getdoc(verb.load()) or "").splitlines()[0]


@VERB
def test_what_decides_the_rows_can_be_written_in_a_manifest(verb: Verb) -> None:
    stage = verb.load()
    recipe = {f.name: f.default for f in fields(stage) if f.metadata["recipe"]}
    assert json.loads(json.dumps(recipe)).keys() == recipe.keys()


@VERB
def test_options_are_declared_once_and_collide_with_nothing(verb: Verb) -> None:
    stage = verb.load()
    flags = [f.metadata["flag"] or "--" + f.name.replace("_", "-") for f in fields(stage)]
    flags += ["--" + role.replace("_", "-") for role in stage.reads]
    flags += ["--" + parameter.name.replace("_", "-") for parameter in RUN_OPTIONS]
    assert len(set(flags)) == len(flags)
    for field in fields(stage):
        assert field.metadata["doc"]
        assert option_types(stage)[field.name] is not None


@VERB
def test_what_a_stage_reads_are_tables_and_its_predicate_is_an_option(verb: Verb) -> None:
    stage = verb.load()
    names = {field.name for field in fields(stage)}
    for reads in stage.reads.values():
        assert isinstance(reads, Reads)
        assert reads.where is None or reads.where in names


@pytest.mark.slow
def test_the_import_contracts_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_contract_between_stages_names_every_stage() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    (independent,) = (c["modules"] for c in contracts if c["type"] == "independence")
    assert independent == [f"stages.{verb.word}" for verb in VERBS.values()]


@pytest.mark.slow
def test_loading_every_stage_does_not_pay_for_torch() -> None:
    code = (
        "import sys\n"
        "from pipeline.verbs import VERBS\n"
        "for verb in VERBS.values():\n"
        "    verb.load()\n"
        "    heavy = {'torch', 'spacy', 'open_clip', 'duckdb', 'faiss'} & set(sys.modules)\n"
        "    assert not heavy, (verb.name, heavy)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@VERB
def test_torch_is_never_imported_at_the_top_of_a_stage(verb: Verb) -> None:
    path = ROOT / "stages" / f"{verb.word}.py"
    top = [
        n for n in ast.parse(path.read_text()).body if isinstance(n, (ast.Import, ast.ImportFrom))
    ]
    modules = [name.name for n in top for name in n.names if isinstance(n, ast.Import)]
    modules += [n.module or "" for n in top if isinstance(n, ast.ImportFrom)]
    assert not {module.split(".")[0] for module in modules} & {"torch", "torchvision"}


@pytest.mark.slow
@MODULE
def test_a_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text()
    tree = parsed(path)
    assert ast.get_docstring(tree)
    assert len(text.splitlines()) <= 300
    assert path.name not in ("utils.py", "helpers.py", "common.py", "misc.py")
    if any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body):
        assert "from __future__ import annotations" in text


@pytest.mark.slow
@MODULE
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = [
        node.name
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert long == []


@pytest.mark.parametrize("path", sorted((ROOT / "pipeline/sql/views").glob("*.sql")), ids=str)
def test_a_view_is_one_question_in_a_file_of_its_name(path: Path) -> None:
    first, second, third, *_ = path.read_text().splitlines()
    assert re.fullmatch(r"-- .*\.", first)
    assert re.fullmatch(r"-- Reads: _\w+(, _\w+)*\.", second)
    assert third == f"CREATE VIEW {path.stem} AS"
    assert path.read_text().count(";") == 1


def _commands() -> str:
    return commands_page(make_app([], load_all=True))


@pytest.mark.parametrize(("page", "made"), [("tables", tables_page), ("commands", _commands)])
def test_the_reference_pages_are_what_the_declarations_say(page: str, made) -> None:  # type: ignore[no-untyped-def]
    told = (ROOT / "docs" / f"{page}.md").read_text()
    assert told == made(), f"run: rc {page} > docs/{page}.md"


@pytest.mark.slow
def test_no_class_name_is_used_twice() -> None:
    names = Counter(
        node.name.lstrip("_")
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("floor", FLOORS)
def test_no_two_modules_of_a_floor_share_a_name(floor: str) -> None:
    names = Counter(path.stem for path in MODULES if path.parts[len(ROOT.parts)] == floor)
    del names["__init__"]
    assert [name for name, count in names.items() if count > 1] == []


def test_every_module_is_named_in_words_of_the_field_or_plain_english() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    cells = re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE)
    known = set(re.findall(r"[a-z]+", " ".join(cells).lower())) | PLAIN_WORDS
    known |= {word for verb in VERBS for word in re.split("[ -]", verb)}
    words = {word for path in MODULES for word in path.stem.strip("_").split("_")}
    strange = sorted(w for w in words if not {w, w.removesuffix("s"), w.removesuffix("es")} & known)
    assert strange == []


def test_every_module_has_its_test_file_where_the_mirrored_path_says() -> None:
    missing = set()
    for path in MODULES:
        place = path.relative_to(ROOT)
        mirrored = ROOT / "tests" / place.parent / f"test_{path.stem}.py"
        tested = place.parts[0] == "schemas"  # tables are tested by rule, in tests/schemas
        if path.stem != "__init__" and not tested and not mirrored.exists():
            missing.add(str(place))
    assert missing == set(WITHOUT_TESTS)
    for reason in WITHOUT_TESTS.values():
        tests = re.findall(r"tests/[\w/.]+\.py", reason)
        assert tests
        assert all((ROOT / test).exists() for test in tests), reason


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    places = re.findall(
        r"`((?:schemas|stages|pipeline|tests|benchmarks|data|docs)/[\w./-]+)`", text
    )
    missing = [p for p in places if not (ROOT / p).exists() and p not in text_made_by(page)]
    assert missing == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def text_made_by(page: Path) -> set[str]:
    """Files that a page tells its reader to make."""
    made = re.findall(r"^`([\w./-]+)`$", page.read_text(), re.MULTILINE)
    return set(made) if page.name == "CONTRIBUTING.md" else set()


@pytest.mark.slow
@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_says_in_its_own_body_what_it_checks(path: Path) -> None:
    silent = [
        node.name
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not any(map(_checks, ast.walk(node)))
    ]
    assert silent == []


def _checks(node: ast.AST) -> bool:
    """Whether a piece of code may fail a test: asserts, of pytest, NumPy and torch too."""
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.Assert) or bool(
        re.fullmatch(r"pytest\.(raises|warns|fail)|(np|torch)\.testing\.assert_\w+", called)
    )


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    place = re.compile(r"(?<![\w.])/(home|root|Users|work|tmp|mnt|opt|var)/\w")
    text = [name for name in TRACKED if re.search(r"\.(py|md|toml|sql|txt|cfg|yml|yaml)$", name)]
    found = [name for name in text if place.search((ROOT / name).read_text(errors="replace"))]
    assert found == []


def test_the_command_is_installed_under_its_name() -> None:
    (script,) = entry_points(group="console_scripts", name="rc")
    assert script.value == "pipeline.cli:main"
