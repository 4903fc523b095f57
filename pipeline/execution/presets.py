"""Presets: options that belong together, such as a published protocol, under one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.base import Stage


def fill(cls: type[Stage], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a stage: what was given, then what the preset among it says of the rest.

    Command line and recipes both pass through here. An unknown preset fills in nothing and is
    refused by the stage itself, which knows their names.

    Args:
        cls: The stage.
        given: Options by field; only those the user gave, defaults left out.
    """
    name = given.get("preset")
    return {**(cls.presets.get(name, {}) if name else {}), **given}
