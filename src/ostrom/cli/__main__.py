"""`python -m ostrom.cli`."""

from ostrom.cli import main

main()
