"""Command line: `python -m sammix_train <command>`."""

from .command_line import main

if __name__ == "__main__":
    main()
