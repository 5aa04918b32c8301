"""From files to encoded, memory-mapped text, and what else a training reads: soft targets and word vectors."""
