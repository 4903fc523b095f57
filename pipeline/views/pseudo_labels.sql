-- What the teacher calls each region, with the concept's name and the region's box.
-- Reads: _pseudo_labels, _proposals, _concept_embeddings.
CREATE VIEW pseudo_labels AS
SELECT
    l.*,
    concept,
    x0,
    y0,
    x1,
    y1,
    objectness
FROM _pseudo_labels AS l
JOIN _concept_embeddings USING (concept_id)
LEFT JOIN _proposals USING (image_id, region);
