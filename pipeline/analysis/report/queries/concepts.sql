-- Each concept of the pool: its labels, those kept, their images, the share in a caption.
SELECT
    pool.concept,
    count(judged.concept)                                 AS labels,
    count(*) FILTER (kept)                                AS kept,
    count(DISTINCT image_id) FILTER (kept)                AS images,
    avg(probability) FILTER (kept)                        AS probability,
    avg(in_caption::INT) FILTER (kept)                    AS in_caption,
    avg(agrees::INT) FILTER (kept AND truth IS NOT NULL)  AS precision
FROM pool
LEFT JOIN judged USING (concept)
GROUP BY ALL
ORDER BY kept DESC, labels DESC, pool.concept
