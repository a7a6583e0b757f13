"""What each member of an ensemble has, beside what they have together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

Figures = Mapping[str, Mapping[str, float]]  # metrics by key, by part


@dataclass(frozen=True)
class Member:
    """One member.

    Attributes:
        seed: That it was trained with.
        epochs: Epochs that were trained.
        best_epoch: The one whose weights it holds, chosen on validation, counted from 1.
        figures: Its metrics on validation and, where there is one, on the test part.
        input_steps: The newest steps that it reads, where members read windows of several lengths.
    """

    seed: int
    epochs: int
    best_epoch: int
    figures: Figures
    input_steps: int | None = None


@dataclass(frozen=True)
class Members:
    """An ensemble and its members; nothing is chosen by these figures.

    Attributes:
        combine: How the members' predictions become one: `mean` or `median`.
        members: Each of them, the first one first.
        figures: The ensemble's own metrics, as of a member.
        titles: Title of each metric, by key.
        headline: The metric that comes first where there is room for one.
    """

    combine: str
    members: list[Member]
    figures: Figures
    titles: Mapping[str, str]
    headline: str

    @property
    def title(self) -> str:
        """`3 members and their mean`."""
        return f"{len(self.members)} members and their {self.combine}"

    def table(self) -> pd.DataFrame:
        """A row for each member and one for the ensemble: `model`, `seed`, `epochs`, `best_epoch`, `val_...`, `test_...`.

        Where members read windows of several lengths, `input_steps` comes after `seed`.
        """
        rows: list[dict[str, object]] = [
            {
                "model": name,
                "seed": each.seed,
                **({} if each.input_steps is None else {"input_steps": each.input_steps}),
                "epochs": each.epochs,
                "best_epoch": each.best_epoch,
                **flat(each.figures),
            }
            for name, each in self.named()
        ]
        found = pd.DataFrame([*rows, {"model": "ensemble", **flat(self.figures)}])
        whole = [name for name in ("seed", "input_steps", "epochs", "best_epoch") if name in found]
        return found.astype(dict.fromkeys(whole, "Int64"))

    def metrics(self) -> dict[str, float]:
        """The figures of each member by name: `member_1_val_rmse`."""
        return {
            f"{name.replace(' ', '_')}_{key}": value
            for name, each in self.named()
            for key, value in {"best_epoch": float(each.best_epoch), **flat(each.figures)}.items()
        }

    def named(self) -> Iterator[tuple[str, Member]]:
        """Each member with its name: `member 1`."""
        return ((f"member {number}", each) for number, each in enumerate(self.members, start=1))


def flat(figures: Figures) -> dict[str, float]:
    """Figures by part and metric: `val_rmse`."""
    return {f"{part}_{key}": value for part, own in figures.items() for key, value in own.items()}
