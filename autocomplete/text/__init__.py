"""Characters and corpora: plain Python and numpy, imported by every other room and importing none."""
