-- Which caption mentions which concept of the pool.
-- Reads: _mentions, _concepts.
CREATE VIEW mentions AS
SELECT
    image_id,
    caption,
    concept_id,
    concept,
    m.mentions AS mentions,
    coalesce(m.names, [concept]) AS names
FROM _mentions AS m
JOIN _concepts USING (concept)
WHERE m.mentions > 0;
