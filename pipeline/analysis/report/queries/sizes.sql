-- By COCO's areas: precision of kept labels, and recall of ground-truth objects.
WITH
    labels AS (
        SELECT
            CASE WHEN wide * high < 1024 THEN 'small'
                 WHEN wide * high < 9216 THEN 'medium' ELSE 'large' END AS size,
            count(*)                                                    AS labels,
            count(truth)                                                AS on_objects,
            avg(agrees::INT) FILTER (truth IS NOT NULL)                 AS precision
        FROM judged WHERE kept GROUP BY ALL
    ),
    objects AS (
        SELECT
            CASE WHEN area < 1024 THEN 'small'
                 WHEN area < 9216 THEN 'medium' ELSE 'large' END        AS size,
            count(*)                                                    AS objects,
            avg((named IS NOT NULL)::INT)                               AS recall
        FROM ground_truth
        LEFT JOIN (SELECT DISTINCT image_id, object, true AS named FROM judged WHERE kept AND agrees)
            USING (image_id, object)
        GROUP BY ALL
    )
SELECT
    size,
    coalesce(labels, 0)  AS labels,
    coalesce(on_objects, 0) AS on_objects,
    precision,
    coalesce(objects, 0) AS objects,
    recall
FROM (VALUES (0, 'small'), (1, 'medium'), (2, 'large')) AS sizes (rank, size)
LEFT JOIN labels USING (size)
LEFT JOIN objects USING (size)
ORDER BY rank
