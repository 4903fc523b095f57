-- How many regions of an image were kept: number of images for each ten regions.
-- Needs pseudo_labels.
SELECT 10 * (kept // 10) AS kept_from, count(*) AS images
FROM (SELECT image_id, count(*) FILTER (kept) AS kept FROM pseudo_labels GROUP BY image_id)
GROUP BY 1
ORDER BY 1
