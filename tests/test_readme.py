"""The commands that the README gives for data of one's own run as they stand, on a few images."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from stages.synthetic.dataset_writers import write_scenes

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
NUM_IMAGES = 12
SMALLER = {"--steps 20": "--steps 2", "--images-per-batch 32": "--images-per-batch 4"}


def own_data_commands() -> list[str]:
    section = (ROOT / "README.md").read_text("utf-8").split("## Your own data")[1]
    block = re.search(r"```\n(.*?)```", section, re.DOTALL)
    assert block
    return [line.split("#")[0].strip() for line in block[1].splitlines()]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of images, and a table with a caption for each."""
    write_scenes(tmp_path / "scenes", "few", NUM_IMAGES, 5)
    captions = json.loads((tmp_path / "scenes/annotations/captions_few.json").read_text())
    by_image = {row["image_id"]: row["caption"] for row in captions["annotations"]}
    folder = tmp_path / "photos"
    (tmp_path / "scenes/images/few").rename(folder)
    with (folder / "captions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "caption"])
        table.writerows([row["file_name"], by_image[row["id"]]] for row in captions["images"])
    return folder


def test_the_commands_for_own_data_run_as_they_stand(photos: Path, tmp_path: Path) -> None:
    first, *commands = own_data_commands()
    assert first == "source .venv/bin/activate"
    assert len(commands) == 9
    (tmp_path / "empty").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RC_STORE", None)
    for command in commands:
        for words, smaller in SMALLER.items():
            command = command.replace(words, smaller)
        program, *words = shlex.split(command.replace("/data/photos", str(photos)))
        assert program == "rc"
        done = subprocess.run(
            [sys.executable, "-c", "from pipeline.cli import main; main()", *words],
            cwd=tmp_path / "empty",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert (tmp_path / "empty" / "report" / "index.html").is_file()
    assert (tmp_path / "empty" / "page" / "index.html").is_file()
    assert f"{NUM_IMAGES} images" in done.stdout
