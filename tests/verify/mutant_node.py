"""A node with a defect: ``python -m tests.verify.mutant_node NAME serve``."""

import sys

from realtime.cli import main
from tests.verify.mutants import MUTANTS

if __name__ == "__main__":
    MUTANTS[sys.argv[1]]()
    main(sys.argv[2:])
