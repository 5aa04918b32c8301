"""How good the suggestions are: typing simulated over a text that was not trained on, and measured; numpy only."""
