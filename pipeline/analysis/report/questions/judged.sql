-- What all other questions are about, gathered once: each label with its box and ground truth.
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
