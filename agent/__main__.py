"""`python -m agent` and `perfagent.pyz`."""

import sys

from agent.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
