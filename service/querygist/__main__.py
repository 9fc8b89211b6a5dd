"""`python -m service` is the `querygist` command."""

from querygist.cli import main

main()
