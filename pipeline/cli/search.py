"""`rc search` and `rc duplicates`: regions by likeness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared import STORE, Store
from schemas.errors import OptionError

if TYPE_CHECKING:
    from pipeline.searching.feature_corpus import FeatureCorpus
    from pipeline.searching.query_vectors import QueryVector

_FORMATS = "table, csv, json (a row a line), parquet or markdown"
Features = Annotated[str | None, typer.Option("--features", help="features@…; default: the newest")]
Labels = Annotated[
    str | None,
    typer.Option(
        "--pseudo-labels", help="what regions are called; default: the newest of these features"
    ),
]
Where = Annotated[
    str | None,
    typer.Option("--where", help="SQL predicate over regions, as \"concept = 'cup' AND x0 > 9\""),
]
Templates = Annotated[
    str, typer.Option("--templates", help="around the text: paper (81), plain (one), or a file")
]
Averaging = Annotated[str, typer.Option("--averaging", help="over templates: reference or openai")]
Format = Annotated[str, typer.Option("--format", help=_FORMATS)]
Sheet = Annotated[Path | None, typer.Option("--sheet", help="PNG of what was found, to write")]
Device = Annotated[
    str, typer.Option("--device", help="auto, cpu or cuda: for the model, and for FAISS if it can")
]


def add_commands(app: typer.Typer) -> None:
    """Put these verbs on the application."""
    app.command("search")(search)
    app.command("duplicates")(duplicates)


def search(  # noqa: PLR0913  # each is a flag
    text: Annotated[str | None, typer.Argument(help="what to look for, in words")] = None,
    store: Store = STORE,
    image: Annotated[
        Path | None, typer.Option("--image", help="look for what is on this photograph")
    ] = None,
    box: Annotated[
        str | None, typer.Option("--box", help="x0,y0,x1,y1: only this part of --image, pixels")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="look for what is like IMAGE:REGION")
    ] = None,
    k: Annotated[int, typer.Option("--k", help="hits")] = 10,
    where: Where = None,
    features: Features = None,
    labels: Labels = None,
    templates: Templates = "paper",
    averaging: Averaging = "reference",
    output: Format = "table",
    sheet: Sheet = None,
    device: Device = "auto",
    check: Annotated[
        bool, typer.Option("--check", help="measure recall@k of the index instead")
    ] = False,
    sample: Annotated[int, typer.Option("--sample", help="stored vectors that --check asks")] = 100,
) -> None:
    """Find the regions most like a text, a photograph or part of one, or another region.

    Over the newest features, in the space of the model that made them. A predicate may use
    image_id, region, the box, objectness, concept, probability, margin, kept, in_caption, split,
    captions, and views in a subquery; k hits are found wherever there are k that it allows.
    """
    from pipeline.searching import FeatureCorpus, nearest_regions, save_hit_sheet
    from pipeline.searching.result_sheets import check_sheet_path

    _check_question({"TEXT": text, "--image": image, "--region": region}, box, check=check)
    if sheet is not None:
        check_sheet_path(sheet)
    corpus = FeatureCorpus.find(store, features, labels)
    if check:
        _check(corpus, sample, k, device)
        return
    from pipeline.cli.answers import writer
    from pipeline.searching import query_vectors

    write = writer(output)
    asked: QueryVector
    if text is not None:
        asked = query_vectors.text_query(corpus, text, templates, averaging, device)
    elif image is not None:
        asked = query_vectors.image_query(corpus, image, _corners(box), device)
    else:
        asked = query_vectors.region_query(corpus, str(region))
    place = "cpu" if device == "cpu" else "auto"
    hits = nearest_regions(corpus, asked.vector, k, where, asked.exclude, place)
    write(hits.to_reader())
    if sheet is not None:
        save_hit_sheet(corpus, hits, sheet)


def _check_question(asked: dict[str, object], box: str | None, *, check: bool) -> None:
    """Pass if there is one question; none, if the index is to be measured.

    Raises:
        OptionError: If there are others, or a box of nothing.
    """
    given = [name for name, value in asked.items() if value]
    if len(given) != (0 if check else 1):
        raise OptionError(
            "rc search takes one of TEXT, --image and --region, or --check alone; "
            f"got {' and '.join(given) or 'none'}"
        )
    if box is not None and asked["--image"] is None:
        raise OptionError("rc search: --box is a part of --image; name the photograph too")


def duplicates(  # noqa: PLR0913  # each is a flag
    store: Store = STORE,
    regions: Annotated[
        bool, typer.Option("--regions", help="compare regions, not whole images")
    ] = False,
    min_cosine: Annotated[
        float, typer.Option("--min-cosine", help="of two that are duplicates, in [-1, 1]")
    ] = 0.95,
    same_image: Annotated[
        bool, typer.Option("--same-image", help="two regions of one image may be duplicates too")
    ] = False,
    where: Where = None,
    features: Features = None,
    labels: Labels = None,
    output: Format = "table",
    sheet: Sheet = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Group images, or regions, whose features point nearly the same way.

    Every pair is compared; --where narrows what is. A group is what chains of near pairs connect.
    """
    from pipeline.cli.answers import writer
    from pipeline.cli.output import Terminal
    from pipeline.searching import DuplicateCriteria, FeatureCorpus, save_group_sheet
    from pipeline.searching import find_duplicates as find
    from pipeline.searching.result_sheets import check_sheet_path

    write = writer(output)
    if sheet is not None:
        check_sheet_path(sheet)
    alike = DuplicateCriteria(
        min_cosine=min_cosine, regions=regions, same_image=same_image, where=where
    )
    corpus = FeatureCorpus.find(store, features, labels)
    found = find(corpus, alike, Terminal(quiet=quiet))
    write(found.to_reader())
    if sheet is not None:
        shown, groups = save_group_sheet(corpus, found, sheet)
        if shown < groups:
            typer.echo(f"{sheet} shows the largest {shown} of {groups} groups", err=True)


def _check(corpus: FeatureCorpus, sample: int, k: int, device: str) -> None:
    from pipeline.searching import measure_recall

    found = measure_recall(corpus.features, sample, k, device="cpu" if device == "cpu" else "auto")
    typer.echo(
        f"{corpus.features.address}  {found.rows:,} rows, {found.kind}\n"
        f"recall@{found.k}  {found.recall:.4f} over {found.queries} stored vectors\n"
        f"index      {found.index_ms:.2f} ms a query, one at a time\n"
        f"exact      {found.exact_ms:.2f} ms a query, reading everything once for all of them"
    )


def _corners(box: str | None) -> list[float] | None:
    if box is None:
        return None
    try:
        corners = [float(word) for word in box.split(",")]
    except ValueError:
        corners = []
    if len(corners) != 4:
        raise OptionError(f"--box takes x0,y0,x1,y1 in pixels, such as 10,20,110,90; got {box!r}")
    return corners
