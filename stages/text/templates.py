"""Prompt templates: sentences with a hole, and names made fit to fill it.

Source: RegionCLIP (arXiv:2112.09106) takes the bare name and the 80 templates that CLIP's
authors wrote for ImageNet; these come from open_clip.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from schemas.errors import SourceError

PLAIN: Final = ("a photo of a {}.",)
HOLE: Final = "{}"
_CLEAN: Final = str.maketrans({",": None, "+": " ", "_": " "})


def read_templates(name: str) -> tuple[str, ...]:
    """The templates that `name` stands for: paper (81), plain (one), or a file, one per line.

    Empty lines of a file are skipped.

    Raises:
        SourceError: If the file cannot be read, is empty, or has a line without exactly one {}.
    """
    if name == "paper":
        from open_clip import OPENAI_IMAGENET_TEMPLATES  # brings torch, so only when asked for

        return ("{}.", *(write(HOLE) for write in OPENAI_IMAGENET_TEMPLATES))
    return PLAIN if name == "plain" else _read_file(Path(name))


def fill(template: str, concept: str) -> str:
    """The prompt of a concept: its cleaned name in the hole of a template.

    >>> fill("a photo of a {}.", "flower_pot,large")
    'a photo of a flower potlarge.'
    """
    return template.replace(HOLE, clean(concept))


def clean(concept: str) -> str:
    """A name without commas, and with spaces for plus signs and underscores.

    >>> clean("salt+pepper, ground")
    'salt pepper ground'
    """
    return concept.translate(_CLEAN)


def _read_file(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"no prompt templates in {path} ({error}); give paper, plain, or a text file with one "
            f"template per line, such as 'a photo of a {{}}.'"
        ) from error
    templates = tuple(line.strip() for line in lines if line.strip())
    bad = [line for line in templates if line.count(HOLE) != 1]
    if bad or not templates:
        problem = f"'{bad[0]}' does not have exactly one {{}}" if bad else "it has no line"
        raise SourceError(f"{path} is no file of prompt templates: {problem}")
    return templates
