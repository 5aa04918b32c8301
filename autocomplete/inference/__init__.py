"""From models to answers: the line so far, the search, the predictor, and what is offered at the cursor."""
