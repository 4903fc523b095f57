-- How often the caption mentions the concept of a region, by the teacher's probability.
-- Needs pseudo_labels made with mentions.
SELECT floor(probability * 10) / 10 AS probability_from, count(*) AS regions,
       avg(in_caption::INT) AS in_caption
FROM pseudo_labels
GROUP BY 1
ORDER BY 1
