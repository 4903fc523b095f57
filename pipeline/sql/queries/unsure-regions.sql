-- Kept regions whose second concept was almost as probable: review these first.
-- Needs pseudo_labels, concept_embeddings.
SELECT image_id, region, p.concept, second.concept AS runner_up, probability, margin
FROM pseudo_labels AS p
JOIN concept_embeddings AS second ON second.concept_id = p.top_ids[2]
WHERE kept
ORDER BY margin, image_id, region
LIMIT 20
