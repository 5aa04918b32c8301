"""What rich draws: trainings from their events, evaluations, comparisons and checkpoints; and the logs."""
