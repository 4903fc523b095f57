"""The gallery as a folder: the same pages over precomputed answers, opened from disk.

A page opened from disk can neither import modules nor fetch data, but it can run scripts of its
folder. So the modules become one script (`bundle`), each answer becomes a script with a piece of
JSON (`output_folder`), and everything that a server computes on request is computed in advance
(`folder_writer`): concepts (`concept_pages`), similar regions (`neighbours`), thresholds
(`threshold_grid`).
"""

from pipeline.gallery.folder.folder_writer import FolderRequest, write_folder

__all__ = ["FolderRequest", "write_folder"]
