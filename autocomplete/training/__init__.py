"""Training, with torch: networks, batches, objectives and one trainer, whose events are in a module without torch."""
