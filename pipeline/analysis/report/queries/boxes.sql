-- Labels, and those kept, by side (root of the area, half steps of a power of two) and by aspect.
SELECT
    quantity,
    floor(value * 2)::INTEGER AS bin,
    count(*)                  AS labels,
    count(*) FILTER (kept)    AS kept
FROM (UNPIVOT (SELECT
          (log2(wide) + log2(high)) / 2 AS side,
          log2(wide) - log2(high)       AS aspect,
          kept
      FROM judged WHERE wide > 0 AND high > 0)
      ON side, aspect INTO NAME quantity VALUE value)
GROUP BY ALL
ORDER BY ALL
