"""A node with a defect: ``python -m tests.faults.mutant_node NAME serve``."""

import sys

from realtime.cli import main
from tests.faults.mutants import MUTANTS

if __name__ == "__main__":
    MUTANTS[sys.argv[1]]()
    main(sys.argv[2:])
