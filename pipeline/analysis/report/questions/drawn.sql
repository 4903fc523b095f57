-- What people drew on the labelled images, and how much of it the concept pool can name at all.
SELECT
    count(*)                                                          AS objects,
    count(DISTINCT category)                                          AS categories,
    count(DISTINCT category) FILTER (category IN (FROM pool))         AS categories_in_pool
FROM drawn
