-- Number of labels, their mean probability, and how often captions and objects agree.
SELECT
    count(*)                                                          AS labels,
    count(*) FILTER (kept)                                            AS kept,
    count(DISTINCT image_id)                                          AS images,
    count(DISTINCT image_id) FILTER (kept)                            AS images_kept,
    count(DISTINCT concept)                                           AS concepts,
    count(DISTINCT concept) FILTER (kept)                             AS concepts_kept,
    avg(probability)                                                  AS probability,
    avg(probability) FILTER (kept)                                    AS probability_kept,
    avg(in_caption::INT)                                              AS in_caption,
    avg(in_caption::INT) FILTER (kept)                                AS in_caption_kept,
    count(truth)                                                      AS on_objects,
    count(truth) FILTER (kept)                                        AS on_objects_kept,
    avg(agrees::INT) FILTER (truth IS NOT NULL)                       AS precision,
    avg(agrees::INT) FILTER (truth IS NOT NULL AND kept)              AS precision_kept
FROM judged
