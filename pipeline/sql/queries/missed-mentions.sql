-- Images whose captions mention a concept that none of their regions has.
-- Needs pseudo_labels made with mentions.
SELECT m.image_id, m.concept, any_value(c.text) AS caption
FROM mentions AS m
JOIN captions AS c ON c.image_id = m.image_id AND c.caption = m.caption
ANTI JOIN (SELECT image_id, concept_id FROM pseudo_labels WHERE kept) AS given
       ON given.image_id = m.image_id AND given.concept_id = m.concept_id
GROUP BY m.image_id, m.concept
ORDER BY m.image_id, m.concept
LIMIT 20
