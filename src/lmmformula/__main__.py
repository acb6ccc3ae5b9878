"""`python -m lmmformula`, and the command `lmmformula`."""

import sys

from lmmformula.cli import main

if __name__ == "__main__":
    sys.exit(main())
