-- Pseudo-labels with captions and the object of highest IoU, with its category from IoU 0.5 on.
-- Reads: _pseudo_labels, __labelled_concepts, __labelled_images.
CREATE VIEW judged_labels AS
SELECT
    * EXCLUDE (best),
    best.iou                                         AS iou,
    CASE WHEN best.iou >= 0.5 THEN best.object END   AS object,
    CASE WHEN best.iou >= 0.5 THEN best.category END AS truth
FROM (
    SELECT
        l.*,
        concept,
        i.split,
        i.captions,
        list_sort(
            list_transform(
                list_transform(
                    i.objects,
                    lambda o, place: {
                        'shared': greatest(0, least(l.x1, o.x1) - greatest(l.x0, o.x0))
                                * greatest(0, least(l.y1, o.y1) - greatest(l.y0, o.y0)),
                        'areas':  (l.x1 - l.x0) * (l.y1 - l.y0) + (o.x1 - o.x0) * (o.y1 - o.y0),
                        'object': place - 1,
                        'category': o.category
                    }
                ),
                lambda o: {
                    'iou': o.shared / nullif(o.areas - o.shared, 0),
                    'object': o.object::INTEGER,
                    'category': o.category
                }
            ),
            'DESC'
        )[1] AS best
    FROM _pseudo_labels AS l
    JOIN __labelled_concepts USING (concept_id)
    JOIN __labelled_images AS i USING (image_id)
);
