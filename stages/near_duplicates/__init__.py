"""Near duplicates: which pictures show the same, by small grey copies of them.

Each image becomes a square of brightness (`grey_pictures`), and that its low frequencies
(`spectra`). Pictures whose low frequencies agree, as they are, mirrored or cropped, are candidates
(`picture_set`); of each pair of candidates the two are aligned and compared once more in finer
frequencies (`alignment`), which decides.
"""
