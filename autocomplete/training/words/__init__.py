"""What a text teaches about its words: word n-grams, the network of words, and the weights of the mixture."""
