-- Of labels of at least each probability: their number, their precision, their recall.
WITH
    steps AS (SELECT unnest(generate_series(0, 19)) AS step),
    labels AS (
        SELECT
            least(floor(probability * 20), 19) AS step,
            count(*)                           AS labels,
            count(truth)                       AS on_objects,
            count(*) FILTER (agrees)           AS agreeing
        FROM judged WHERE isfinite(probability) GROUP BY ALL
    ),
    named AS (
        SELECT least(floor(probability * 20), 19) AS step, count(*) AS objects
        FROM (SELECT max(probability) AS probability FROM judged WHERE agrees
              GROUP BY image_id, object)
        GROUP BY ALL
    )
SELECT
    steps.step / 20                                                                AS threshold,
    coalesce((SELECT sum(labels) FROM labels WHERE step >= steps.step), 0)::BIGINT AS labels,
    coalesce((SELECT sum(on_objects) FROM labels WHERE step >= steps.step), 0)::BIGINT
                                                                                   AS on_objects,
    (SELECT sum(agreeing) / nullif(sum(on_objects), 0) FROM labels WHERE step >= steps.step)
                                                                                   AS precision,
    coalesce((SELECT sum(objects) FROM named WHERE step >= steps.step), 0)
        / nullif((SELECT count(*) FROM ground_truth), 0)                                  AS recall
FROM steps
ORDER BY threshold
