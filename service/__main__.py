"""`python -m service` is the `querygist` command."""

from service.cli import main

main()
