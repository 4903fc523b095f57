-- The table for all other queries: each label with the size of its box and its ground truth.
SELECT
    image_id,
    concept,
    probability,
    margin,
    kept,
    in_caption,
    object,
    truth,
    concept = truth      AS agrees,
    greatest(x1 - x0, 0) AS wide,
    greatest(y1 - y0, 0) AS high
FROM judged_labels
