-- The captions of each image, one row per caption.
-- Reads: _images.
CREATE VIEW captions AS
SELECT
    image_id,
    split,
    (rank - 1)::INTEGER AS caption,
    captions[rank]      AS text
FROM _images, unnest(generate_series(1, len(captions))) AS ranks (rank);
