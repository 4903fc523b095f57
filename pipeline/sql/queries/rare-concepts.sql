-- Concepts with the fewest regions: the long tail, rarest first.
-- Needs pseudo_labels.
SELECT concept, count(*) AS regions, count(DISTINCT image_id) AS images,
       avg(probability) AS mean_probability
FROM pseudo_labels
WHERE kept
GROUP BY concept
ORDER BY regions, concept
LIMIT 20
