"""The prompt: layout, key bindings, commands, settings and history; `completion` is for other prompt_toolkit programs."""
