"""The command line: `main`, and one module a family of commands. It alone sees every room, inside its handlers."""
