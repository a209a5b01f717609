"""``python -m gossipmm`` is ``gossipmm``."""

from gossipmm.cli import main

if __name__ == "__main__":
    main()
