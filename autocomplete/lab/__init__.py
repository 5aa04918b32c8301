"""Networks trained to be compared or looked at: what `compare` and the demonstration need beside the real thing."""
