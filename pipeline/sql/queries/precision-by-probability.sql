-- How often a region that overlaps an object by IoU 0.5 was given its category, by probability.
-- Needs pseudo_labels and ground-truth objects; names must agree to count.
SELECT floor(probability * 10) / 10 AS probability_from, count(*) AS regions,
       count(truth) AS on_objects,
       avg((concept = truth)::INT) FILTER (truth IS NOT NULL) AS precision_on_objects
FROM judged_labels
GROUP BY 1
ORDER BY 1
