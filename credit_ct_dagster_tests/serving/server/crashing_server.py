"""Stands in for the server of a package: writes the names of its environment, and fails."""

import os
import sys

if __name__ == "__main__":
    sys.stderr.write(" ".join(sorted(os.environ)))
    sys.exit(3)
