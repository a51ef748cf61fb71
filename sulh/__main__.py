"""Makes `python -m sulh` the program."""

from sulh.cli import main

if __name__ == "__main__":
    main()
