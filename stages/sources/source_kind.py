"""Finds out which kind of source files and folders are, and opens it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from schemas.errors import SourceError
from stages.outcome import counted
from stages.sources.coco import open_coco
from stages.sources.coco_layout import is_coco
from stages.sources.file_patterns import expand
from stages.sources.files import is_image, is_remote, size_of
from stages.sources.folder import FolderSource
from stages.sources.folder_files import list_files
from stages.sources.folder_tables import shown
from stages.sources.ingest_counts import several
from stages.sources.limited_source import LimitedSource
from stages.sources.parquet import (
    ParquetSource,
    check_image_column,
    files_in_paths,
    has_image_bytes,
    is_list_of_files,
)
from stages.sources.size_limits import raised
from stages.sources.table_files import is_json_of_captions, is_table
from stages.sources.tsv import TsvSource, holds_labels, is_image_tsv, pair_captions
from stages.sources.webdataset import TAR_SUFFIXES, WebDatasetSource
from stages.sources.yolo_config import find_config, is_config_name, read_config
from stages.sources.yolo_folder import YoloSource
from stages.sources.yolo_names import has_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stages.sources.record import Source, SourceOptions

Kind = Literal["auto", "webdataset", "coco", "yolo", "folder", "parquet", "tsv"]
KINDS: Final = get_args(Kind)
ACCEPTED: Final = (
    "WebDataset tars; a COCO folder with annotations/{captions,instances}_SPLIT.json, or its "
    "JSON files and image folder; a YOLO folder with data.yaml; a folder of images, with captions "
    "in a CSV, TSV, JSON, JSONL or Parquet or in texts beside them, if there are any; Parquet with "
    "image bytes; TSV of key and base64 image"
)
_MANY: Final = 100  # images for each archive, so that the archives are not what is meant
_CALLED: Final = {
    "webdataset": "tar",
    "parquet": "Parquet file",
    "tsv": "image TSV",
}


def open_source(paths: Sequence[str], options: SourceOptions) -> Source:
    """The source made of these files, folders, globs or brace patterns.

    Raises:
        SourceError: If a file is missing, or the files are no known kind of source.
    """
    if options.size_limits == 1:
        return _open(paths, options)
    return LimitedSource(raised(options.size_limits, _open, paths, options), options.size_limits)


def _open(paths: Sequence[str], options: SourceOptions) -> Source:
    if not paths:
        raise SourceError(f"rc ingest needs a source: {ACCEPTED}")
    expanded = [path for pattern in paths for path in expand(pattern)]
    for path in expanded:
        if not is_remote(path) and not Path(path).exists():
            raise SourceError(f"there is no file or folder {path}")
    kind = _detect_kind(expanded, options) if options.kind == "auto" else options.kind
    source = _OPENERS[kind](expanded, options)
    if options.splits and kind not in ("coco", "yolo", "folder"):
        raise SourceError(f"--split: a {kind} source has no splits; name the files instead")
    if (options.caption_column or options.image_column) and kind in ("webdataset", "coco", "yolo"):
        raise SourceError(
            f"--caption-column and --image-column are of tables; a {kind} source has none"
        )
    if options.boxes != "auto" and kind != "coco":
        raise SourceError(f"--boxes is for COCO's JSON; this is a {kind} source")
    if not source.slices():
        raise SourceError(f"{', '.join(paths)} holds no images{_what_else(source)}")
    return source


def _detect_kind(paths: Sequence[str], options: SourceOptions) -> str:
    folders = _folders(paths)
    files = [path for path in paths if path not in folders]
    image = options.image_column
    kind = _kind_of_files(files, folders, image) if files else _kind_of_folder(paths, image)
    if kind is None and is_remote(paths[0]):
        raise SourceError(
            f"{paths[0]} is not a remote source: name tars, Parquet files or image TSVs, or a "
            "pattern such as s3://bucket/folder/*.tar; a remote folder is not searched"
        )
    if kind is None:
        raise SourceError(f"{paths[0]} is not a source; rc ingest reads {ACCEPTED}")
    return kind


def _kind_of_files(
    files: Sequence[str], folders: Sequence[str], image_column: str | None
) -> str | None:
    def every(test: Callable[[str], bool]) -> bool:
        return not folders and all(test(path) for path in files)

    if every(lambda path: path.lower().endswith(TAR_SUFFIXES)):
        return "webdataset"
    if all(path.lower().endswith(".json") for path in files):
        return _kind_of_jsons(files)
    if len(files) == 1 and is_config_name(files[0]):
        return "yolo"
    if every(
        lambda path: path.lower().endswith(".parquet") and has_image_bytes(path, image_column)
    ):
        return "parquet"
    if every(lambda path: path.lower().endswith(".tsv")) and any(map(is_image_tsv, files)):
        return "tsv"
    if every(is_image) or (len(files) == 1 and is_table(files[0])):
        return "folder"
    return None


def _kind_of_jsons(files: Sequence[str]) -> str:
    return "folder" if len(files) == 1 and is_json_of_captions(files[0]) else "coco"


def _kind_of_folder(folders: Sequence[str], image_column: str | None) -> str | None:
    """The kind of a folder, or of several; of archives beside images, it must be beyond doubt."""
    root = folders[0]
    if len(folders) == 1 and is_coco(root):
        return "coco"
    if len(folders) == 1 and find_config(root) and has_labels(root):
        return "yolo"
    archives = {kind: files for kind, files in _archives(folders, image_column).items() if files}
    images = _images_apart(root, archives, image_column) if len(folders) == 1 and archives else 0
    number = sum(map(len, archives.values()))
    if not archives or (images > number and (number == 1 or images > _MANY * number)):
        return "folder" if len(folders) == 1 else None
    if images or len(archives) > 1:
        things = [counted(len(files), _CALLED[kind]) for kind, files in archives.items()]
        things += [counted(images, "image")] * bool(images)
        kinds = " or ".join(f"--kind {kind}" for kind in (*archives, *(["folder"] * bool(images))))
        raise SourceError(f"{root} holds {' and '.join(things)}: say what to read with {kinds}")
    return next(iter(archives))


def _images_apart(
    root: str, archives: Mapping[str, Sequence[str]], image_column: str | None
) -> int:
    """How many images lie in a folder, without those that a Parquet file in it names."""
    images = {str(Path(root, image.name)) for image in list_files(root).images}
    for path in archives.get("parquet", ()) if images else ():
        images -= files_in_paths(path, image_column)
    return len(images)


def _archives(folders: Sequence[str], image_column: str | None) -> dict[str, list[str]]:
    """Files directly in the folders, or one below, that hold images, by the kind of source.

    A Parquet file of paths alone is none: it is a table of image files.
    """
    return {
        "webdataset": _files(folders, *TAR_SUFFIXES),
        "parquet": [
            path
            for path in _files(folders, ".parquet")
            if has_image_bytes(path, image_column) and not is_list_of_files(path, image_column)
        ],
        "tsv": [path for path in _files(folders, ".tsv") if is_image_tsv(path)],
    }


def _what_else(source: Source) -> str:
    """What a source without images holds, for a message."""
    kinds = ", ".join(several(kind.kind, kind.count) for kind in source.inventory().left_out)
    return f"; it holds {kinds}" if kinds else ""


def _open_webdataset(paths: Sequence[str], _options: SourceOptions) -> Source:
    tars = _files(paths, *TAR_SUFFIXES)
    for tar in tars:
        size_of(tar)  # a missing tar is reported now, not when its part runs
    return WebDatasetSource(tuple(tars), _folders(paths))


def _open_yolo(paths: Sequence[str], options: SourceOptions) -> Source:
    folders = [path for path in paths if _is_folder(path)]
    files = [path for path in paths if path not in folders]
    if any(map(is_remote, paths)) or len(folders) > 1 or len(files) > 1:
        raise SourceError("a yolo source is one local folder, or its data.yaml, or both")
    if files:
        config = read_config(files[0])
        root = folders[0] if folders else str(config.folder)
        if not config.folder.is_relative_to(root):
            raise SourceError(f"{files[0]} is not inside {root}: put it beside the images")
        return YoloSource(root, config, options)
    found = find_config(folders[0])
    if found is None:
        raise SourceError(f"{folders[0]} has no data.yaml with names and the images of a split")
    return YoloSource(folders[0], found, options)


def _open_folder(paths: Sequence[str], options: SourceOptions) -> Source:
    folders = [path for path in paths if _is_folder(path)]
    images = [path for path in paths if path not in folders and is_image(path)]
    tables = [path for path in paths if path not in folders and is_table(path)]
    if any(map(is_remote, paths)) or len(folders) > 1 or len(tables) > 1:
        raise SourceError("a folder source is one local folder, and at most one table of captions")
    if images:
        parents = {str(Path(path).parent) for path in images}
        if len(parents) > 1:
            raise SourceError(
                "images named one by one must be in one folder; name the folder above them"
            )
        return FolderSource(parents.pop(), tables[0] if tables else None, tuple(images), options)
    if not folders and not tables:
        raise SourceError(f"{paths[0]} is neither a folder nor an image nor a table of captions")
    root = folders[0] if folders else str(Path(tables[0]).parent)
    remarks = tuple(_said_of_archives(root, options.image_column)) if options.kind == "auto" else ()
    return FolderSource(root, tables[0] if tables else None, (), options, remarks)


def _said_of_archives(root: str, image_column: str | None) -> list[str]:
    return [
        f"the images of the folder are read; {counted(len(files), _CALLED[kind])} beside them "
        f"({shown(Path(files[0]).name)}) not: --kind {kind} reads that instead"
        for kind, files in _archives([root], image_column).items()
        if files
    ]


def _open_parquet(paths: Sequence[str], options: SourceOptions) -> Source:
    files = _files(paths, ".parquet")
    for path in files:
        check_image_column(path, options.image_column)
    return ParquetSource(tuple(files), options, _folders(paths))


def _open_tsv(paths: Sequence[str], options: SourceOptions) -> Source:
    files = [path for path in _files(paths, ".tsv") if path in paths or not holds_labels(path)]
    return TsvSource(pair_captions(files), options, _folders(paths))


_OPENERS: Final = {
    "webdataset": _open_webdataset,
    "coco": open_coco,
    "yolo": _open_yolo,
    "folder": _open_folder,
    "parquet": _open_parquet,
    "tsv": _open_tsv,
}


def _is_folder(path: str) -> bool:
    return not is_remote(path) and Path(path).is_dir()


def _folders(paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if _is_folder(path))


def _files(paths: Sequence[str], *suffixes: str) -> list[str]:
    """Files among `paths`, and files with these suffixes inside folders among `paths`."""
    return [
        file
        for path in paths
        for file in (_inside(path, *suffixes) if _is_folder(path) else [path])
    ]


def _inside(folder: str, *suffixes: str) -> list[str]:
    """Files directly inside a folder, or one folder below it (`data/`, `images/`), sorted.

    Hidden files are none, nor those of hidden folders.
    """
    paths = [*Path(folder).glob("[!.]*"), *Path(folder).glob("[!.]*/[!.]*")]
    files = [str(p) for p in paths if p.name.lower().endswith(suffixes) and p.is_file()]
    return sorted(files)
