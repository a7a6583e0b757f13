"""The errors and warnings that a user can meet.

Every message says what happened, what was expected, what was received and what to do, and has a stable code that
docs/messages.md lists with cause and cure. `exit_code` is what the command line returns: 2 where the recipe, the data or the
call is wrong, 1 where a valid run failed.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*):\S*@")
_KEY = re.compile(
    r"(?i)([?&][\w-]*(?:password|passwd|secret|token|signature|credential|api_?key|access_?key|sig)[\w-]*=)[^\s&'\"]+"
)

_WORD = re.compile(r"(?i)(\bpassword\s*=\s*)[^\s&'\"]+")


# Packages that are installed by another name than they are imported by.
_INSTALLED_BY = {
    "PIL": "pillow",
    "absl": "absl-py",
    "dateutil": "python-dateutil",
    "google": "protobuf",
    "ruamel": "ruamel.yaml",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}


def package_of(error: ImportError) -> str | None:
    """The package that has to be installed for an import; None where it is there, and something else is wrong with it."""
    top = (error.name or "").partition(".")[0]
    if top in ("", "seq2seq_kit", *sys.stdlib_module_names):
        return None
    try:
        found = find_spec(top)
        there = found is not None and found.origin is not None  # a mere folder, as of a namespace, has none
    except ModuleNotFoundError:
        there = False
    except ValueError:  # loaded without a description
        there = True
    return None if there else _INSTALLED_BY.get(top, top)


def without_secrets(text: str) -> str:
    """A text without the passwords and keys of the addresses in it: what is shown or stored may be read by others."""
    text = _KEY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text)) if "://" in text else text
    return _WORD.sub(r"\1***", text)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a recipe: its dotted key, the text, and a stable code."""

    key: str
    text: str
    code: str = "invalid_value"

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", without_secrets(self.text))


class KitError(Exception):
    """Base of every error that the kit raises on purpose; the command line prints it without a traceback."""

    exit_code = 2
    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        """`code` names the cause; default: the code of the class."""
        super().__init__(without_secrets(message))
        self.code = code or type(self).code


class RecipeError(KitError):
    """A recipe or an override does not fit the schema; the message lists every problem with line and dotted key.

    Attributes:
        problems: The same as objects, each with key and code; empty where no recipe could be read.
    """

    code = "recipe"

    def __init__(self, message: str, *, code: str | None = None, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message, code=code)
        self.problems = tuple(problems)


class KitWarning(UserWarning):
    """What the kit warns of without stopping; the command line prints its code."""

    def __init__(self, message: str, *, code: str = "warning") -> None:
        super().__init__(message)
        self.code = code


class DataError(KitError):
    """The data cannot be used as the recipe declares it; the message names file, row, column and value."""

    code = "data"


class SeriesTooShortError(DataError):
    """The rows hold fewer steps than one window needs."""

    code = "series_too_short"


class ArgumentError(KitError, ValueError):
    """A builder or a public function received an argument outside its documented range."""

    code = "argument"


class TrainingError(KitError):
    """The fit could not continue, for example because the loss became NaN."""

    code = "training"
    exit_code = 1


class BundleError(KitError):
    """A bundle is missing, damaged, foreign or cannot be written."""

    code = "bundle"
    exit_code = 1


class TrackingError(KitError):
    """The MLflow store cannot be reached, is locked, or lacks the requested run or artifact."""

    code = "tracking"
    exit_code = 1


class SweepError(KitError):
    """A sweep could not start, continue or be resumed."""

    code = "sweep"
    exit_code = 1


class ClusterError(KitError):
    """A Ray cluster cannot be reached or started, has stopped, or has nodes that do not fit."""

    code = "cluster"
    exit_code = 1
