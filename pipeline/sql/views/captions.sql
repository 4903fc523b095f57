-- What people wrote about each image, one caption a row.
-- Reads: _images.
CREATE VIEW captions AS
SELECT
    image_id,
    split,
    (rank - 1)::INTEGER AS caption,
    captions[rank]      AS text
FROM _images, unnest(generate_series(1, len(captions))) AS ranks (rank);
