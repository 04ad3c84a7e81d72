"""``python -m cfbench`` is the command ``cfbench``."""

from cfbench.cli import main

if __name__ == "__main__":
    main()
