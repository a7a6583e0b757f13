"""The key `sweep.backtest`: past moments that trials are judged at, in the words of `seq2seq-kit backtest`."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from seq2seq_kit.recipe.section import Section

_MOST = 10_000


def _form(value: object) -> str:
    """Which member of the union is meant: without it each member would report its own error."""
    return "either: word" if isinstance(value, str) else "either: value"


class Backtest(Section):
    """The origins at which a trial is fitted and forecasts; all lie before the calibration and the test part."""

    windows: int = Field(
        ge=1, le=_MOST, description="Origins; the last forecast ends before calibration and test part."
    )
    stride: int | None = Field(
        None, ge=1, description="Rows from one origin to the next; default: the recipe's `output_steps`."
    )
    refit: Annotated[
        Annotated[Literal["never", "always"], Tag("either: word")]
        | Annotated[int, Field(ge=1, le=_MOST), Tag("either: value")],
        Discriminator(_form),
    ] = Field(5, description="never, always, or how many origins lie between two fits.")
    rolling: int | None = Field(
        None, ge=1, description="Fit on the newest so many rows before an origin; default: on all of them."
    )
    gap: int = Field(
        0, ge=0, description="Rows before the first forecast row of which nothing is known yet, on top of `gap_steps`."
    )
    metric: Literal["rmse", "mae"] = Field("rmse", description="The error of its forecasts that a trial is judged by.")

    @property
    def every(self) -> int | None:
        """Origins from one fit to the next; None: only the first origin fits."""
        return {"never": None, "always": 1}[self.refit] if isinstance(self.refit, str) else self.refit

    @property
    def fits(self) -> list[int]:
        """The origins, numbered from 1, at which a trial is fitted."""
        return list(range(1, self.windows + 1, self.every or self.windows))
