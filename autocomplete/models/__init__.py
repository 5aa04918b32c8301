"""The models, in numpy only: one model a file, named as the field names it. They know ids and states, not lines of text."""
