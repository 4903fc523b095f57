"""`rc search`: the regions similar to a text, a photograph or another region."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.run_options import STORE, Store
from schemas.errors import OptionError
from stages.text import prompt_options

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.searching.feature_corpus import FeatureCorpus

_FORMATS = "table, csv, json (one row per line), parquet or markdown"
Features = Annotated[str | None, typer.Option("--features", help="features@…; default: the newest")]
Labels = Annotated[
    str | None,
    typer.Option(
        "--pseudo-labels", help="labels of the regions; default: the newest of these features"
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where", help="SQL predicate over regions, such as \"concept = 'cup' AND x0 > 9\""
    ),
]
Templates = Annotated[
    str,
    typer.Option(
        "--templates", help="prompt templates for the text: paper (81), plain (one), or a file"
    ),
]
Averaging = Annotated[
    prompt_options.Averaging,
    typer.Option("--averaging", help="over templates: reference or openai"),
]
Format = Annotated[str, typer.Option("--format", help=_FORMATS)]
Sheet = Annotated[Path | None, typer.Option("--sheet", help="also write the result as a PNG")]
Device = Annotated[
    str, typer.Option("--device", help="of the model, and of FAISS if possible: auto, cpu or cuda")
]


def add_commands(app: typer.Typer) -> None:
    """Add this verb to the application."""
    app.command("search")(search)


def search(  # noqa: PLR0913  # each is an option
    text: Annotated[str | None, typer.Argument(help="search for this text")] = None,
    store: Store = STORE,
    image: Annotated[
        Path | None, typer.Option("--image", help="search for the content of this photograph")
    ] = None,
    box: Annotated[
        str | None, typer.Option("--box", help="x0,y0,x1,y1 in pixels: only this part of --image")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="search for regions similar to IMAGE:REGION")
    ] = None,
    k: Annotated[int, typer.Option("--k", help="number of results")] = 10,
    where: Where = None,
    features: Features = None,
    labels: Labels = None,
    templates: Templates = "paper",
    averaging: Averaging = "reference",
    output: Format = "table",
    sheet: Sheet = None,
    device: Device = "auto",
    check: Annotated[
        bool, typer.Option("--check", help="instead of a search, measure recall@k of the index")
    ] = False,
    sample: Annotated[
        int, typer.Option("--sample", help="stored vectors that --check searches for")
    ] = 100,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="show no progress")] = False,
) -> None:
    """Find the regions most similar to a text or an image.

    The image may be another region. Newest features are searched, with the model that made them.
    --where may use image_id, region, the box, objectness, concept, probability, margin, kept,
    in_caption, split, captions, and views in a subquery; k such regions are found if there are k.
    """
    from pipeline.searching import nearest_regions, save_hit_sheet
    from pipeline.searching.result_sheets import check_sheet_path

    _check_query({"TEXT": text, "--image": image, "--region": region}, box, check=check)
    if sheet is not None:
        check_sheet_path(sheet)
    corpus = _corpus(store, features, labels, quiet=quiet)
    if check:
        _print_recall(corpus, sample, k, device)
        return
    from pipeline.cli.row_formats import row_writer
    from pipeline.searching import query_vectors

    write = row_writer(output)
    if text is not None:
        query = query_vectors.text_query(corpus, text, templates, averaging, device)
    elif image is not None:
        query = query_vectors.image_query(corpus, image, _parse_box(box), device)
    else:
        query = query_vectors.region_query(corpus, str(region))
    where_to = "cpu" if device == "cpu" else "auto"
    hits = nearest_regions(corpus, query.vector, k, where, query.exclude, where_to)
    write(_some(hits, corpus, where).to_reader())
    if sheet is not None:
        save_hit_sheet(corpus, hits, sheet)


def _corpus(store: Path, features: str | None, labels: str | None, *, quiet: bool) -> FeatureCorpus:
    from pipeline.cli.progress_bar import TerminalReporter
    from pipeline.searching import FeatureCorpus

    found = FeatureCorpus.find(store, features, labels)
    return replace(found, reporter=TerminalReporter(quiet=quiet))


def _check_query(options: dict[str, object], box: str | None, *, check: bool) -> None:
    """Check that there is one query; with `check`, none.

    Raises:
        OptionError: If there are more or fewer, or a box without an image.
    """
    given = [name for name, value in options.items() if value]
    if len(given) != (0 if check else 1):
        raise OptionError(
            "rc search takes one of TEXT, --image and --region, or --check alone; "
            f"got {' and '.join(given) or 'none'}"
        )
    if box is not None and options["--image"] is None:
        raise OptionError("rc search: --box is a part of --image; give the photograph too")


def _some(hits: pa.Table, corpus: FeatureCorpus, where: str | None) -> pa.Table:
    """The hits, if there are any."""
    if hits.num_rows:
        return hits
    condition = f" for which {where} holds" if where else ""
    raise OptionError(f"rc search: {corpus.features.address} has no region{condition}")


def _print_recall(corpus: FeatureCorpus, sample: int, k: int, device: str) -> None:
    from pipeline.searching import measure_recall

    recall = measure_recall(corpus.features, sample, k, device="cpu" if device == "cpu" else "auto")
    typer.echo(
        f"{corpus.features.address}  {recall.rows:,} rows, {recall.kind}\n"
        f"recall@{recall.k}  {recall.recall:.4f} over {recall.queries} stored vectors\n"
        f"index      {recall.index_ms:.2f} ms a query, one at a time\n"
        f"exact      {recall.exact_ms:.2f} ms a query, reading everything once for all of them"
    )


def _parse_box(box: str | None) -> list[float] | None:
    if box is None:
        return None
    try:
        corners = [float(word) for word in box.split(",")]
    except ValueError:
        corners = []
    if len(corners) != 4:
        raise OptionError(f"--box takes x0,y0,x1,y1 in pixels, such as 10,20,110,90; got {box!r}")
    return corners
