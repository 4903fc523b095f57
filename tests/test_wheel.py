"""The built wheel, installed alone into an environment of its own, runs outside the checkout."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DATA = {  # files that are not code, and where they are in the wheel
    "data/parser": "stages/data/parser",
    "data/demo": "stages/data/demo",
    **{folder: folder for folder in ("pipeline", "stages", "schemas")},
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    if importlib.util.find_spec("hatchling") is None:
        missing = "hatchling is not installed: pip install hatchling"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("regionclip_toolkit-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs `rc` of a new environment in an empty folder.

    The environment holds the wheel alone; the libraries are those of the environment of the tests.
    """
    place = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "own"], check=True)
    python = place / "own" / "bin" / "python"
    (packages,) = (place / "own").glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries) + "\n")
    pip("install", "--no-index", str(wheel), python=python)
    (place / "empty").mkdir()
    removed = ("PYTHONPATH", "RC_STORE")
    environment = {name: value for name, value in os.environ.items() if name not in removed}

    def run(*words: str, within: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        program = [*within, str(python.with_name("rc")), *words]
        return subprocess.run(
            program,
            cwd=place / "empty",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def no_network() -> tuple[str, ...]:
    """What starts a command in a network namespace of its own, without any way out."""
    within = ("unshare", "--map-root-user", "--net")
    try:
        subprocess.run([*within, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        missing = f"no network namespace can be made here: {error}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return within


def pip(*words: str, python: Path | None = None) -> None:
    into = ["--python", str(python)] if python else []
    command = [sys.executable, "-m", "pip", *into, *words, "--no-deps", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *DATA], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    with zipfile.ZipFile(wheel) as file:
        packed = set(file.namelist())
    missing = []
    for name in listed.stdout.split():
        (place,) = (place for place in DATA if name.startswith(f"{place}/"))
        if DATA[place] + name.removeprefix(place) not in packed:
            missing.append(name)
    assert missing == []


def test_the_installation_is_found_to_be_whole(installed: Run) -> None:
    done = installed("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bad " not in done.stdout


def test_the_smallest_demo_needs_no_network_and_its_store_can_be_looked_at(
    installed: Run, no_network: tuple[str, ...]
) -> None:
    done = installed("demo", "--scenes", "10", "--holdout", "10", "--quiet", within=no_network)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "student, our recipe" in done.stdout
    assert "picture: demo/pictures/pseudo_labels.png" in done.stdout
    assert "picture: demo/pictures/teacher_and_student.png" in done.stdout
    assert "With 10 scenes, much of this is chance; the default is 800." in done.stdout
    command = done.stdout.split("look at it in a browser: ")[1].splitlines()[0]
    assert command.endswith("bin/rc view --store demo/store")
    done = installed("view", "--store", "demo/store", "--static", "page", "--limit", "3")
    assert (done.returncode, done.stdout) == (0, "page/index.html  3 images\n"), done.stderr
    done = installed("run", "coco_full", "--dry-run", "--set", "coco=nowhere")
    assert "no recipe" not in done.stderr


def test_the_small_network_is_installed(installed: Run) -> None:
    done = installed("draw", "scenes", "few", "--count", "2")
    assert done.returncode == 0, done.stderr
    for words in (("ingest", "few"), ("pretrain", "--model", "small", "--steps", "0")):
        done = installed(*words, "--store", "own")
        assert done.returncode == 0, done.stderr
