-- How often a caption of the image mentions the label's concept, by tenths of probability.
SELECT
    least(floor(probability * 10), 9)::INTEGER AS bin,
    count(in_caption)                          AS labels,
    avg(in_caption::INT)                       AS in_caption
FROM judged
WHERE in_caption IS NOT NULL AND isfinite(probability)
GROUP BY ALL
ORDER BY ALL
