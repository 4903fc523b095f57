"""Search: the regions nearest to a text, a photograph or another region, and near duplicates.

`FeatureCorpus.find` says what is searched, `asking` turns a question into a vector, `nearest` finds
the hits, `save_hits` draws them; `measure` compares the index with exact search, `duplicates`
groups what looks the same.
"""

from pipeline.searching.duplicates import Alike, duplicates
from pipeline.searching.feature_corpus import FeatureCorpus
from pipeline.searching.hits import nearest
from pipeline.searching.recall import Recall, measure
from pipeline.searching.sheet import save_groups, save_hits

__all__ = [
    "Alike",
    "FeatureCorpus",
    "Recall",
    "duplicates",
    "measure",
    "nearest",
    "save_groups",
    "save_hits",
]
