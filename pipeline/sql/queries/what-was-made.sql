-- Every artifact of the store with rows, size and time, newest first.
-- Needs nothing but a store.
SELECT artifact, stage, rows, round(bytes / 1e6, 1) AS megabytes, dropped, round(seconds, 1) AS seconds
FROM artifacts
ORDER BY created DESC, artifact
