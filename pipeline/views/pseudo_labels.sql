-- What the teacher calls each region, with the concept's name and the region's box.
-- Reads: _pseudo_labels, __labelled_boxes, __labelled_concepts.
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
JOIN __labelled_concepts USING (concept_id)
LEFT JOIN __labelled_boxes USING (image_id, region);
