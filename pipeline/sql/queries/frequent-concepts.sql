-- The 20 most frequent pseudo-labels, their mean probability, and how often captions agree.
-- Needs pseudo_labels.
SELECT concept, count(*) AS regions, avg(probability) AS mean_probability,
       avg(in_caption::INT) AS in_caption
FROM pseudo_labels
WHERE kept
GROUP BY concept
ORDER BY regions DESC, concept
LIMIT 20
