"""What a training step reads: prefix trees of words, streams of text, lines with gaps."""
