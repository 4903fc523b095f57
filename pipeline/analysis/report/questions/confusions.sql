-- What kept labels call the objects they overlap, if it is not the category: the commonest first.
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
