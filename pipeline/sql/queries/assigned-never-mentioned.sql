-- Concepts assigned to regions of images whose captions never mention them, most frequent first.
-- Needs pseudo_labels made with mentions.
SELECT concept, count(*) AS regions, avg(probability) AS mean_probability
FROM pseudo_labels
WHERE kept
GROUP BY concept
HAVING NOT coalesce(bool_or(in_caption), false)
ORDER BY regions DESC, concept
LIMIT 20
