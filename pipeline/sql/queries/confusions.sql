-- Wrong concepts of regions that overlap an object of another category, most frequent first.
-- Needs pseudo_labels and ground-truth objects.
SELECT truth, concept AS called, count(*) AS regions, avg(probability) AS mean_probability
FROM judged_labels
WHERE kept AND truth IS NOT NULL AND concept != truth
GROUP BY truth, concept
ORDER BY regions DESC, truth, called
LIMIT 20
