"""Characters: normalization, alphabets, vocabulary, the words of a line, the prefix trie, the blocklist, safe printing."""
