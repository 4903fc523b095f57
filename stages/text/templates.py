"""Prompt templates: sentences with a placeholder, and the cleaning of names that fill it.

Source: RegionCLIP (arXiv:2112.09106) takes the bare name and the 80 templates that CLIP's
authors wrote for ImageNet; these come from open_clip.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from schemas.errors import SourceError

PLAIN: Final = ("a photo of a {}.",)
PLACEHOLDER: Final = "{}"
_MOST_BYTES: Final = 1 << 20
_LONGEST: Final = 1000  # characters of a template
_CLEANING: Final = str.maketrans({",": None, "+": " ", "_": " "})


def read_templates(name: str) -> tuple[str, ...]:
    """The templates that `name` stands for: paper (81), plain (one), or a file, one per line.

    Empty lines of a file are skipped. A text encoder reads 77 tokens or so of a prompt.

    Raises:
        SourceError: If the file cannot be read, is empty or larger than 1 MB, or has a line
            without exactly one {}, or of more than 1,000 characters.
    """
    if name == "paper":
        from open_clip import OPENAI_IMAGENET_TEMPLATES  # imports torch, so only if needed

        return ("{}.", *(template(PLACEHOLDER) for template in OPENAI_IMAGENET_TEMPLATES))
    return PLAIN if name == "plain" else _read_file(Path(name))


def fill_template(template: str, concept: str) -> str:
    """The prompt of a concept: its cleaned name in place of the placeholder.

    >>> fill_template("a photo of a {}.", "flower_pot,large")
    'a photo of a flower potlarge.'
    """
    return template.replace(PLACEHOLDER, clean_name(concept))


def clean_name(concept: str) -> str:
    """A name without commas, and with spaces for plus signs and underscores.

    >>> clean_name("salt+pepper, ground")
    'salt pepper ground'
    """
    return concept.translate(_CLEANING)


def _read_file(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        lines = content[:_MOST_BYTES].decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"no prompt templates in {path} ({error}); give paper, plain, or a text file with one "
            f"template per line, such as 'a photo of a {{}}.'"
        ) from error
    if len(content) > _MOST_BYTES or any(len(line) > _LONGEST for line in lines):
        raise SourceError(
            f"{path} is not a file of prompt templates: it has more than {_MOST_BYTES:,} bytes, or "
            f"a line of more than {_LONGEST:,} characters; a template is a short sentence"
        )
    templates = tuple(line.strip() for line in lines if line.strip())
    invalid = [line for line in templates if line.count(PLACEHOLDER) != 1]
    if invalid or not templates:
        problem = f"'{invalid[0]}' does not have exactly one {{}}" if invalid else "it has no line"
        raise SourceError(f"{path} is not a file of prompt templates: {problem}")
    return templates
