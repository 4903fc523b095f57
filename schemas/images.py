"""Images: where their bytes are, their captions and their ground truth."""

from __future__ import annotations

from schemas.table import Column, Structs, Table

_OBJECTS = Structs(
    (
        ("category", "string"),
        ("x0", "float32"),
        ("y0", "float32"),
        ("x1", "float32"),
        ("y1", "float32"),
        ("area", "float32"),  # of the mask if there is one, pixels
        ("is_crowd", "bool"),
    )
)

IMAGES = Table(
    name="images",
    version=2,
    doc="Images: where their bytes are, their captions and their ground truth.",
    key=("image_id",),
    columns=(
        Column(
            "image_id",
            "string",
            "unique; source file or split, a slash, the source's own key",
        ),
        Column(
            "source", "string", "kind of source: webdataset, coco, yolo, folder, parquet or tsv"
        ),
        Column(
            "source_id",
            "string",
            "id that the source's own JSON gives the image, such as COCO's; null if it has none",
            nullable=True,
        ),
        Column("split", "string", "split named by the source, such as val2017", nullable=True),
        Column(
            "uri",
            "string",
            "file that holds the image's bytes: an image, a tar, a Parquet or a TSV",
        ),
        Column(
            "member",
            "string",
            "name or row of the image inside that file; null if the file is the image",
            nullable=True,
        ),
        Column(
            "offset",
            "int64",
            "first byte of the image inside an uncompressed tar",
            nullable=True,
        ),
        Column("num_bytes", "int64", "size of the encoded image"),
        Column("sha256", "string", "of the encoded image, hexadecimal"),
        Column("format", "string", "JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, PPM or JPEG 2000"),
        Column("width", "int32", "pixels, after orientation"),
        Column("height", "int32", "pixels, after orientation"),
        Column(
            "orientation",
            "int8",
            "EXIF orientation 1 to 8, to be applied once after decoding; 1 is none",
        ),
        Column(
            "captions",
            "list<string>",
            "human texts about the whole image; may be empty",
        ),
        Column("objects", _OBJECTS, "ground truth; may be empty"),
        Column("content", "binary", "the encoded image itself, if packed", nullable=True),
    ),
)
