"""Images: where their bytes are, their captions and their ground truth."""

from __future__ import annotations

import pyarrow as pa

from schemas.table import Column, Table

OBJECT = pa.struct(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("x0", pa.float32(), nullable=False),
        pa.field("y0", pa.float32(), nullable=False),
        pa.field("x1", pa.float32(), nullable=False),
        pa.field("y1", pa.float32(), nullable=False),
        pa.field("area", pa.float32(), nullable=False),  # of the mask if there is one, pixels
        pa.field("is_crowd", pa.bool_(), nullable=False),
    ]
)

IMAGES = Table(
    name="images",
    version=2,
    doc="Images: where their bytes are, their captions and their ground truth.",
    key=("image_id",),
    columns=(
        Column(
            "image_id",
            pa.string(),
            "unique; source file or split, a slash, the source's own key",
        ),
        Column(
            "source", pa.string(), "kind of source: webdataset, coco, yolo, folder, parquet or tsv"
        ),
        Column(
            "source_id",
            pa.string(),
            "id that the source's own JSON gives the image, such as COCO's; null if it has none",
            nullable=True,
        ),
        Column("split", pa.string(), "split named by the source, such as val2017", nullable=True),
        Column(
            "uri",
            pa.string(),
            "file that holds the image's bytes: an image, a tar, a Parquet or a TSV",
        ),
        Column(
            "member",
            pa.string(),
            "name or row of the image inside that file; null if the file is the image",
            nullable=True,
        ),
        Column(
            "offset",
            pa.int64(),
            "first byte of the image inside an uncompressed tar",
            nullable=True,
        ),
        Column("num_bytes", pa.int64(), "size of the encoded image"),
        Column("sha256", pa.string(), "of the encoded image, hexadecimal"),
        Column("format", pa.string(), "JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, PPM or JPEG 2000"),
        Column("width", pa.int32(), "pixels, after orientation"),
        Column("height", pa.int32(), "pixels, after orientation"),
        Column(
            "orientation",
            pa.int8(),
            "EXIF orientation 1 to 8, to be applied once after decoding; 1 is none",
        ),
        Column(
            "captions",
            pa.list_(pa.string()),
            "human texts about the whole image; may be empty",
        ),
        Column("objects", pa.list_(OBJECT), "ground truth; may be empty"),
        Column("content", pa.binary(), "the encoded image itself, if packed", nullable=True),
    ),
)
