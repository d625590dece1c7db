"""Runs the command line as `python -m agencystack`."""

from agencystack.cli import main

if __name__ == "__main__":
    main()
