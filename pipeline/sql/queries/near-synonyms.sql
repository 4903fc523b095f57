-- Pairs of concepts whose embeddings are almost equal: the teacher can hardly separate them.
-- Needs concept_embeddings.
SELECT a.concept, b.concept AS near, array_cosine_similarity(a.embedding, b.embedding) AS cosine
FROM concept_embeddings AS a
JOIN concept_embeddings AS b ON a.concept_id < b.concept_id
ORDER BY cosine DESC, a.concept, near
LIMIT 20
