-- The teacher's label of each region, with how suspicious it is, and why.
-- Reads: _pseudo_labels, __labelled_concepts, _suspicions.
CREATE VIEW suspected_labels AS
SELECT
    l.*,
    concept,
    s.* EXCLUDE (image_id, region, concept_id)
FROM _pseudo_labels AS l
JOIN __labelled_concepts USING (concept_id)
LEFT JOIN _suspicions AS s
    ON s.image_id = l.image_id AND s.region = l.region AND s.concept_id = l.concept_id;
