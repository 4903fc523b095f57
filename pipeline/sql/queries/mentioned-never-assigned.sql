-- Concepts that captions mention but no region has, most mentioned first.
-- Needs pseudo_labels made with mentions.
SELECT m.concept, count(DISTINCT m.image_id) AS images
FROM mentions AS m
ANTI JOIN (SELECT DISTINCT concept_id FROM pseudo_labels WHERE kept) USING (concept_id)
GROUP BY m.concept
ORDER BY images DESC, m.concept
LIMIT 20
