"""How a recipe wants to be run: by whom, and with how many workers; never what it makes.

[running]
engine = "ray"                 # as --engine of each step that has parts
ray-address = "head:6379"      # and so on: the options of `rc run`, which come first
workers = 16
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Running(BaseModel):
    """The `[running]` of a recipe; what it does not say is None."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=lambda name: name.replace("_", "-")
    )

    engine: Literal["local", "ray"] | None = None
    workers: int | None = Field(None, ge=1)
    ray_address: str | None = None
    cpus_per_worker: int | None = Field(None, ge=1)
    gpus_per_worker: float | None = Field(None, ge=0)


def read_running(written: Mapping[str, Any], location: str) -> dict[str, Any]:
    """What the `[running]` of a recipe whose placeholders are replaced says, by option.

    Raises:
        SourceError: If it has an unknown key, or a value that is none.
    """
    try:
        spelt = {key.replace("_", "-"): value for key, value in written.items()}
        return Running.model_validate(spelt).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"[running] of {location}: {where}: {first['msg']}") from None
