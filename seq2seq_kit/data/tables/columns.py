"""The columns of a recipe by role, and how its windows lie: what the data section means, without any data."""

from dataclasses import dataclass, field

from seq2seq_kit.data.tables.calendar import calendar_names
from seq2seq_kit.data.tables.splits import PARTS
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
        categories: Columns of words, which stand behind the numbers: those that do not change within a series first, then those
            known ahead, then those of the past alone. No other role names them.
        fixed: How many of `categories` do not change within a series.
        ahead: How many of them the decoder is given for the steps ahead, the fixed ones among them.
        static: All columns that do not change within a series; a forecast's numbers of them are among `known_future`.
        series_category: The last one of the fixed categories, which is the series itself; None for none.
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
    categories: list[str] = field(default_factory=list)
    fixed: int = 0
    ahead: int = 0
    static: list[str] = field(default_factory=list)
    series_category: str | None = None

    @classmethod
    def of(cls, data: Data) -> "Columns":
        """Reads the roles off a recipe's data section."""
        masked = data.missing == "mask" or (isinstance(data, HorizonData) and data.short_series == "pad")
        own, weight = (data.window_scaling, data.weight) if isinstance(data, WindowData) else ("none", None)
        if not isinstance(data, WindowData):
            return cls(data.inputs, [], [], data.inputs, masked)
        words, static = data.categories, data.static
        numbers = [name for name in data.inputs if name not in (*words, *static)]
        series = _series_category(data) if data.series_category else None
        fixed = [name for name in static if name in words] + ([series] if series else [])
        if isinstance(data, HorizonData):
            known = [name for name in data.known_future if name not in words]
            known += [name for name in static if name not in words]
            targets, calendar, holidays = data.targets, [*map(str, data.calendar)], data.holidays
            ahead = [name for name in data.known_future if name in words]
        else:  # it reads static columns and words, and reconstructs the others
            known, targets, calendar, holidays, ahead = [], numbers, [], None, []
            numbers = [*numbers, *(name for name in static if name not in words)]
        past = [name for name in data.inputs if name in words and name not in (*fixed, *ahead)]
        return cls(
            numbers,
            known,
            calendar,
            targets,
            masked,
            own,
            weight,
            holidays,
            [*fixed, *ahead, *past],
            len(fixed),
            len(fixed) + len(ahead) if isinstance(data, HorizonData) else 0,
            static,
            series,
        )

    @property
    def past(self) -> list[str]:
        """Columns of the table that the encoder reads."""
        return [*self.inputs, *(name for name in self.known_future if name not in self.inputs)]

    @property
    def numbers(self) -> list[str]:
        """Columns of numbers of the table that training needs."""
        read = [*self.past, *(name for name in self.targets if name not in self.past)]
        return [*read, self.weight] if self.weight and self.weight not in read else read

    @property
    def words(self) -> list[str]:
        """Columns of words that a frame has: the categories but for the series itself."""
        return [name for name in self.categories if name != self.series_category]

    @property
    def table(self) -> list[str]:
        """Columns of the table that training needs, in its order."""
        return [*self.numbers, *self.words, *([self.series_category] if self.series_category else [])]

    @property
    def flags(self) -> int:
        """Position in the matrix of the first column that says where an input was observed."""
        return len(self.past) + len(calendar_names(self.calendar))

    def layout(self) -> Layout:
        """Columns of the scaled matrix: the encoder's first, then targets that it does not read."""
        calendar = calendar_names(self.calendar)
        observed = [f"{name}_observed" for name in self.inputs] if self.masked else []
        read = [*self.past, *calendar, *observed, *self.categories]
        # A masked target keeps its NaN for the loss while the encoder's copy is filled, so it gets a column of its own.
        own = [name for name in self.targets if self.masked or name not in self.past]
        columns = [*read, *own, *([self.weight] if self.weight else [])]
        weight = len(columns) - 1 if self.weight else None
        # By position: a column of the table may have the name of a calendar column, such as `weekend`.
        first = len(self.past)
        future = [self.past.index(name) for name in self.known_future] + list(range(first, first + len(calendar)))
        # Codes are the last columns of what is read and of what is known ahead.
        codes = len(read) - len(self.categories)
        future += range(codes, codes + self.ahead)
        targets = [len(read) + own.index(name) if name in own else read.index(name) for name in self.targets]
        if self.window_scaling == "none":
            return Layout(columns, len(read), future, targets, weight=weight)
        flags = [self.flags + self.inputs.index(name) for name in self.targets] if self.masked else []
        scaled = [self.past.index(name) for name in self.targets]
        scaling = WindowScaling(self.window_scaling, scaled, flags, len(read))
        return Layout(columns, len(read), future, targets, scaling, weight)


def _series_category(data: WindowData) -> str:
    """A name for the series as a category that no column of the recipe has."""
    used = {*data.inputs, *data.static, *getattr(data, "known_future", []), *getattr(data, "targets", []), data.weight}
    name = "_".join([*data.series_columns, "category"])
    while name in used:
        name += "_"
    return name


def forecasts(data: Data) -> bool:
    """Whether windows have targets after their inputs."""
    return isinstance(data, HorizonData) or getattr(data, "forecast_steps", 0) > 0


def window_shape(data: Data) -> WindowShape:
    """How a recipe's windows lie over the rows."""
    if isinstance(data, HorizonData):
        return WindowShape.forecast(
            input_steps=data.input_steps, output_steps=data.output_steps, gap_steps=data.gap_steps
        )
    before, after = getattr(data, "backcast_steps", 0), getattr(data, "forecast_steps", 0)
    return WindowShape.autoencode(input_steps=data.input_steps, before=before, after=after)


def parts_of(data: Data) -> tuple[str, ...]:
    """The parts that a recipe's rows are divided into, without that of intervals: test may be left out."""
    return PARTS if data.split.tested else PARTS[:-1]


def stride_key(data: Data, part: str) -> str:
    """The key that says the rows from one window of a part to the next."""
    return "train_stride" if part == "train" and getattr(data, "train_stride", None) else "window_stride"


def stride_of(data: Data, part: str) -> int:
    """Rows from one window of a part to the next."""
    own: int | None = getattr(data, "train_stride", None) if part == "train" else None
    return own or data.window_stride
