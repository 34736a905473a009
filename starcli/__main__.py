"""`python -m starcli`."""

from starcli.cli import main

main()
