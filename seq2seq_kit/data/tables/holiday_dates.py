"""Public holidays by the package `holidays`, which is loaded where a recipe names some."""

import warnings
from functools import lru_cache

import numpy as np

from seq2seq_kit.errors import DataError

_YEARS = range(1900, 2101)


@lru_cache(maxsize=8)
def holiday_dates(code: str) -> np.ndarray:
    """The holidays of a country, a state or an exchange, in order, shape `(days,)` `datetime64[D]`, from 1900 to 2100.

    Args:
        code: As in the recipe: `DE`, `DE-BY`, `US`, `NYSE`.

    Raises:
        DataError: The package is not installed, or does not know the code.
    """
    try:
        import holidays
    except ImportError:
        raise DataError(
            f"data.holidays: {code} needs the package holidays, which is not installed. "
            "Install it: pip install 'seq2seq-kit[holidays]' (or pip install holidays)",
            code="missing_package",
        ) from None
    country, _, state = code.partition("-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # years that the package does not know have no holidays
        try:
            if country in holidays.list_supported_financial():
                found = holidays.financial_holidays(country, subdiv=state or None, years=_YEARS)
            else:
                found = holidays.country_holidays(country, subdiv=state or None, years=_YEARS)
        except NotImplementedError as error:
            raise DataError(
                f"data.holidays: the package holidays does not know {code}: {error}. Give a country (DE, US), one of its states "
                "(DE-BY, US-CA) or an exchange (NYSE)",
                code="unknown_holidays",
            ) from None
    return np.array(sorted(found), dtype="M8[D]")
