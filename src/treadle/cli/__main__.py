"""`python -m treadle.cli`: the command line of this very interpreter."""

from treadle.cli.main import main

if __name__ == "__main__":
    main()
