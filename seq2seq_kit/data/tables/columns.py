"""The columns of a recipe by role, and how its windows lie: what the data section means, without any data."""

from dataclasses import dataclass

from seq2seq_kit.data.tables.calendar import calendar_names
from seq2seq_kit.data.windows.batches import Layout
from seq2seq_kit.data.windows.ranges import WindowShape
from seq2seq_kit.data.windows.window_scaling import WindowScaling
from seq2seq_kit.recipe.column_fields import WindowScale
from seq2seq_kit.recipe.fields import Data, HorizonData, WindowData


@dataclass(frozen=True)
class Columns:
    """The numeric columns of a recipe, by role.

    Attributes:
        inputs: Read by the encoder.
        known_future: Known ahead of time.
        calendar: Json of the recipe, not column names.
        targets: To be predicted; an autoencoder's are its inputs.
        holidays: Whose holidays the calendar tells, as in the recipe; None for nobody's.
        masked: Whether each input has a column that tells where it was observed.
        weight: Says how much each row counts, if any.
        window_scaling: The scale that each window's targets are brought to.
    """

    inputs: list[str]
    known_future: list[str]
    calendar: list[str]
    targets: list[str]
    masked: bool
    window_scaling: WindowScale = "none"
    weight: str | None = None
    holidays: str | None = None

    @classmethod
    def of(cls, data: Data) -> "Columns":
        """Reads the roles off a recipe's data section."""
        masked = data.missing == "mask" or (isinstance(data, HorizonData) and data.short_series == "pad")
        own, weight = (data.window_scaling, data.weight) if isinstance(data, WindowData) else ("none", None)
        if isinstance(data, HorizonData):
            known, calendar = data.known_future, [*map(str, data.calendar)]
            return cls(data.inputs, known, calendar, data.targets, masked, own, weight, data.holidays)
        return cls(data.inputs, [], [], data.inputs, masked, own, weight)

    @property
    def past(self) -> list[str]:
        """Columns of the table that the encoder reads."""
        return [*self.inputs, *(name for name in self.known_future if name not in self.inputs)]

    @property
    def table(self) -> list[str]:
        """Columns of the table that training needs."""
        read = [*self.past, *(name for name in self.targets if name not in self.past)]
        return [*read, self.weight] if self.weight and self.weight not in read else read

    def layout(self) -> Layout:
        """Columns of the scaled matrix: the encoder's first, then targets that it does not read."""
        calendar = calendar_names(self.calendar)
        observed = [f"{name}_observed" for name in self.inputs] if self.masked else []
        read = [*self.past, *calendar, *observed]
        # A masked target keeps its NaN for the loss while the encoder's copy is filled, so it gets a column of its own.
        own = [name for name in self.targets if self.masked or name not in self.past]
        columns = [*read, *own, *([self.weight] if self.weight else [])]
        weight = len(columns) - 1 if self.weight else None
        # By position: a column of the table may have the name of a calendar column, such as `weekend`.
        first = len(self.past)
        future = [self.past.index(name) for name in self.known_future] + list(range(first, first + len(calendar)))
        targets = [len(read) + own.index(name) if name in own else read.index(name) for name in self.targets]
        if self.window_scaling == "none":
            return Layout(columns, len(read), future, targets, weight=weight)
        flags = [len(read) - len(self.inputs) + self.inputs.index(name) for name in self.targets] if self.masked else []
        scaled = [self.past.index(name) for name in self.targets]
        scaling = WindowScaling(self.window_scaling, scaled, flags, len(read))
        return Layout(columns, len(read), future, targets, scaling, weight)


def window_shape(data: Data) -> WindowShape:
    """How a recipe's windows lie over the rows."""
    if isinstance(data, HorizonData):
        return WindowShape.forecast(
            input_steps=data.input_steps, output_steps=data.output_steps, gap_steps=data.gap_steps
        )
    return WindowShape.autoencode(input_steps=data.input_steps)
