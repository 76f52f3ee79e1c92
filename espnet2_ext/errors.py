"""The one error type that users see, and its way to the terminal."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """Something that the user can mend: bad data, a bad option, a torn file.

    The message is one line that names the file, the utterance where there is one, and the remedy.
    """


def run_cli(main: Callable[[], int | None]) -> None:
    """Run an entry point; a UserError becomes one line on stderr and exit status 1, Ctrl-C one line and status 130."""
    try:
        status = main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(status or 0)
