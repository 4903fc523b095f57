from __future__ import annotations

import json

import pytest

from schemas.errors import SourceError
from stages.models.clip_creation import create_clip
from tests.stages.models.tiny import config


@pytest.mark.parametrize(
    ("architecture", "message"),
    [("RN51", "open_clip knows no architecture 'RN51'"), ("gone.json", "no readable JSON")],
)
def test_an_unknown_architecture_is_refused(architecture, message) -> None:
    with pytest.raises(SourceError, match=message):
        create_clip(architecture)


def test_a_wrong_configuration_is_refused(tmp_path) -> None:
    (tmp_path / "a.json").write_text('{"layers": 3}')
    with pytest.raises(SourceError, match="lacks embed_dim, vision_cfg or text_cfg"):
        create_clip(str(tmp_path / "a.json"))
    (tmp_path / "b.json").write_text(json.dumps(config() | {"surprise": 1}))
    with pytest.raises(SourceError, match="open_clip cannot build this configuration"):
        create_clip(str(tmp_path / "b.json"))
