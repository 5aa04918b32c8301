"""A search for the settings that suit a corpus."""
