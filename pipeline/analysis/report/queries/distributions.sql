-- Labels, and those kept, by twentieths of probability and of margin.
SELECT
    quantity,
    least(floor(value * 20), 19)::INTEGER AS bin,
    count(*)                              AS labels,
    count(*) FILTER (kept)                AS kept
FROM (UNPIVOT (SELECT probability, margin, kept FROM judged)
      ON probability, margin INTO NAME quantity VALUE value)
WHERE isfinite(value)
GROUP BY ALL
ORDER BY ALL
