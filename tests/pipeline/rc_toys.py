"""`python -m tests.pipeline.rc_toys ...` is `rc ...` with toys for stages."""

from __future__ import annotations

from pipeline.cli import main
from pipeline.verbs import VERBS
from tests.pipeline.toys import verbs

if __name__ == "__main__":
    toys = verbs()
    VERBS.clear()
    VERBS.update(toys)
    main()
