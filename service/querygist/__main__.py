"""`python -m querygist` is the `querygist` command."""

from querygist.cli import main

main()
