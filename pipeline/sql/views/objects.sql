-- The ground-truth objects of each image, one row per object.
-- Reads: _images.
CREATE VIEW objects AS
SELECT
    image_id,
    split,
    (rank - 1)::INTEGER   AS object,
    objects[rank].category AS category,
    objects[rank].x0       AS x0,
    objects[rank].y0       AS y0,
    objects[rank].x1       AS x1,
    objects[rank].y1       AS y1,
    objects[rank].area     AS area,
    objects[rank].is_crowd AS is_crowd
FROM _images, unnest(generate_series(1, len(objects))) AS ranks (rank);
