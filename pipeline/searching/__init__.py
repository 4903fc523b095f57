"""Search: the regions nearest to a text, a photograph or another region, and near duplicates.

`FeatureCorpus.find` chooses what is searched, `query_vectors` turns a query into a vector,
`nearest_regions` finds the hits, `save_hit_sheet` renders them; `measure_recall` compares the index
with exact search, `find_duplicates` groups what looks the same.
"""

from pipeline.searching.duplicates import DuplicateCriteria, find_duplicates
from pipeline.searching.feature_corpus import FeatureCorpus
from pipeline.searching.index_recall import IndexRecall, measure_recall
from pipeline.searching.region_search import nearest_regions
from pipeline.searching.result_sheets import save_group_sheet, save_hit_sheet

__all__ = [
    "DuplicateCriteria",
    "FeatureCorpus",
    "IndexRecall",
    "find_duplicates",
    "measure_recall",
    "nearest_regions",
    "save_group_sheet",
    "save_hit_sheet",
]
