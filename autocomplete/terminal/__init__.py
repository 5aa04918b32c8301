"""What is seen: prompt_toolkit and rich. Only `training_display` sees the events of a training."""
