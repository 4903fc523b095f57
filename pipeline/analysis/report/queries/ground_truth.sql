-- Ground-truth objects of the labelled images, and how many of their categories are in the pool.
SELECT
    count(*)                                                          AS objects,
    count(DISTINCT category)                                          AS categories,
    count(DISTINCT category) FILTER (category IN (FROM pool))         AS categories_in_pool
FROM ground_truth
