"""Print constraints.txt with the SHA-256 of the wheel that pip takes here, for each package.

    python .ci/hash_wheels.py > .ci/wheels.txt

Run it with CI's Python, after constraints.txt has changed. Nothing is installed.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def main() -> None:
    """Ask pip what it would install, and print names, versions and hashes."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        files = ["--no-deps", "--report", report.name, "--requirement", str(CONSTRAINTS)]
        subprocess.run([*pip, *files], check=True)
        found = json.load(report)["install"]
    python = ".".join(platform.python_version_tuple()[:2])
    lines = [f"# what CI installs: wheels for Python {python}, {sys.platform} {platform.machine()}"]
    for entry in sorted(found, key=lambda entry: str(entry["metadata"]["name"]).lower()):
        name, version = entry["metadata"]["name"], entry["metadata"]["version"]
        digest = entry["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{name}=={version} --hash=sha256:{digest}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
