"""Numpy only, so that the prompt opens at once: character language models, the search over them, and the predictor."""
