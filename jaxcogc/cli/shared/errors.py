"""What the user got wrong, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake of the user: printed as one line on standard error, exit code 2."""


def rejected(field: str, value: object, allowed: str) -> UserError:
    """The error that names the field, the value it was given and what is allowed.

    >>> str(rejected("--trials", "0", "a whole number of at least 1"))
    '--trials = 0: allowed is a whole number of at least 1'
    """
    text = str(value) or "''"
    return UserError(f"{field} = {text}: allowed is {allowed}")


@contextmanager
def blame(field: str) -> Iterator[None]:
    """Say that a ValueError raised inside comes from what the user gave as `field`.

    Constructors check their arguments and raise ValueError; only around those calls is such an
    error the user's. Anywhere else it is ours, and keeps its traceback.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        raise UserError(f"{field}: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """The text of an error without line breaks; an OSError without its number.

    >>> one_line(FileNotFoundError(2, "No such file or directory", "x.json"))
    'no such file or directory'
    """
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(text.split()) or type(error).__name__
    return text[0].lower() + text[1:] if isinstance(error, OSError) else text
