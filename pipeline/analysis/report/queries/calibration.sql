-- How often labels on objects are correct, by fifteenths of their probability.
SELECT
    least(floor(probability * 15), 14)::INTEGER AS bin,
    count(*)                                    AS labels,
    sum(probability)                            AS total,
    count(*) FILTER (agrees)                    AS agreeing
FROM judged
WHERE truth IS NOT NULL AND isfinite(probability)
GROUP BY ALL
ORDER BY ALL
