"""Run the command line: python -m autocomplete."""

from autocomplete.cli.main import main

if __name__ == "__main__":
    main()
