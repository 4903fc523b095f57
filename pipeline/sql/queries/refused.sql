-- Records that stages refused, by stage and reason, with one example of each.
-- Needs nothing but a store.
SELECT artifact, reason, count(*) AS records, any_value(detail ORDER BY record) AS example
FROM quarantine
GROUP BY artifact, reason
ORDER BY records DESC, artifact, reason
