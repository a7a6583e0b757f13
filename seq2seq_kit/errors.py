"""The errors that a user can meet.

Every message says what happened, what was expected, what was received and what to do, and has a stable code that docs/messages.md
lists with cause and cure. `exit_code` is what the command line returns: 2 where the recipe, the data or the call is wrong, 1 where a
run that was well described failed.
"""


class KitError(Exception):
    """Base of everything that the kit raises on purpose; the command line prints it without a traceback."""

    exit_code = 2
    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        """`code` says which of its kind; without one it is the kind's own."""
        super().__init__(message)
        self.code = code or type(self).code


class RecipeError(KitError):
    """A recipe or an override does not fit the schema; the message lists every problem with line and dotted key."""

    code = "recipe"


class DataError(KitError):
    """The data cannot be used as the recipe declares it; the message names file, row, column and value."""

    code = "data"


class SeriesTooShortError(DataError):
    """Not one window fits into the rows at hand."""

    code = "series_too_short"


class ArgumentError(KitError, ValueError):
    """A builder or a public function received an argument outside its documented range."""

    code = "argument"


class TrainingError(KitError):
    """The fit could not go on, for example because the loss became NaN."""

    code = "training"
    exit_code = 1


class BundleError(KitError):
    """A bundle is missing, damaged, foreign or cannot be written."""

    code = "bundle"
    exit_code = 1


class TrackingError(KitError):
    """The MLflow store cannot be reached, is locked, or does not hold what was asked for."""

    code = "tracking"
    exit_code = 1


class SweepError(KitError):
    """A sweep could not begin, go on or be resumed."""

    code = "sweep"
    exit_code = 1
