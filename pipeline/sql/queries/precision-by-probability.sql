-- How often a region with IoU >= 0.5 to an object has the object's category, by probability.
-- Needs pseudo_labels and ground-truth objects; only equal names count as correct.
SELECT floor(probability * 10) / 10 AS probability_from, count(*) AS regions,
       count(truth) AS on_objects,
       avg((concept = truth)::INT) FILTER (truth IS NOT NULL) AS precision_on_objects
FROM judged_labels
GROUP BY 1
ORDER BY 1
