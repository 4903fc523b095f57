-- The teacher's label of each region, with the concept's name and the region's box.
-- Reads: _pseudo_labels, __labelled_concepts.
CREATE VIEW pseudo_labels AS
SELECT
    l.*,
    concept
FROM _pseudo_labels AS l
JOIN __labelled_concepts USING (concept_id);
