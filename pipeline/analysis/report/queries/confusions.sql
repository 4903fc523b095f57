-- Wrong concepts of kept labels on objects, by category; the most frequent first.
SELECT
    truth,
    concept,
    count(*)         AS regions,
    avg(probability) AS probability
FROM judged
WHERE kept AND concept != truth
GROUP BY ALL
ORDER BY regions DESC, truth, concept
LIMIT 20
