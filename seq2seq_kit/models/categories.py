"""Categories: codes among the columns of a sequence become learned vectors (Guo and Berkhahn 2016, "Entity embeddings of
categorical variables").

Codes are whole numbers: 0 is a missing cell, 1 a value that training has not seen, from 2 on a value. They are the last columns
of a sequence. Layers are registered with Keras like those in layers.py.
"""

from collections.abc import Sequence

import keras
from keras import ops

from seq2seq_kit.models.arguments import positive_int, refuse, refuse_shape
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.layers import PACKAGE, Shape, width_of

UNKNOWN = 1
HIDDEN = 0.05  # share of the sequences of a training whose value is hidden, so that the unknown one is learned
_WIDEST = 50


@keras.saving.register_keras_serializable(package=PACKAGE)
class SplitCategories(keras.layers.Layer):
    """Takes the numbers and the codes of a sequence apart.

    In training the codes of a random share of the sequences are hidden, for each category by itself: they become the code of an
    unknown value, whose vector is learned that way.

    Args:
        sizes: Codes of each category, the last columns; a code beyond them counts as the unknown one.
        hidden: Share of the sequences, in [0, 1).
        seed: Of the choice.

    Input shape:
        `(batch, time, numbers + categories)`.

    Output shape:
        A list: the numbers, `(batch, time, numbers)`, and the codes of each category, `(batch, time)` int32.
    """

    def __init__(self, sizes: Sequence[int], hidden: float = HIDDEN, seed: int | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.sizes = category_sizes(sizes)
        self.hidden = hidden
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        if width_of(input_shape[-1]) < len(self.sizes):
            refuse_shape(f"SplitCategories needs at least {len(self.sizes)} columns", input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> list[Tensor]:
        first = inputs.shape[-1] - len(self.sizes)
        # Through float32: nothing else holds every code. A value that is none is an unknown one.
        codes = ops.cast(ops.round(ops.nan_to_num(ops.cast(inputs[..., first:], "float32"))), "int32")
        sizes = ops.convert_to_tensor(self.sizes, dtype="int32")
        codes = ops.where((codes < 0) | (codes >= sizes), UNKNOWN, codes)
        if training and self.hidden:
            drawn = keras.random.uniform((ops.shape(inputs)[0], 1, len(self.sizes)), seed=self.seed_generator)
            codes = ops.where(drawn < self.hidden, UNKNOWN, codes)
        return [inputs[..., :first], *(codes[..., position] for position in range(len(self.sizes)))]

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"sizes": self.sizes, "hidden": self.hidden, "seed": self.seed}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Indicators(keras.layers.Layer):
    """Codes as columns of 0 and 1, for a linear map.

    Args:
        size: Columns; codes from the last one on share it.
        newest: Of the newest step alone.

    Input shape:
        `(batch, time)`, whole numbers.

    Output shape:
        `(batch, time, size)`, or `(batch, 1, size)`.
    """

    def __init__(self, size: int, newest: bool = False, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.size = positive_int("size", size)
        self.newest = newest

    def call(self, codes: Tensor) -> Tensor:
        codes = codes[:, -1:] if self.newest else codes
        return ops.one_hot(ops.minimum(codes, self.size - 1), self.size, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], 1 if self.newest else input_shape[1], self.size)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"size": self.size, "newest": self.newest}


def category_sizes(sizes: Sequence[int]) -> list[int]:
    """Codes of each category: at least those of a missing and of an unknown value."""
    return [positive_int("categories", size, least=UNKNOWN + 1) for size in sizes]


def known_ahead(name: str, value: int, sizes: Sequence[int]) -> int:
    """How many of the categories, the first ones; at most all."""
    if positive_int(name, value, least=0) > len(sizes):
        refuse(name, value, f"be at most the number of categories ({len(sizes)})")
    return value


class Embedded:
    """The learned vectors of some categories, one table for each of them wherever its codes stand.

    Args:
        sizes: Codes of each category.
        units: Width of the vectors; None: half as many as there are codes, at most 50.
        indicators: Columns of each before a linear map; None: as many as there are codes.
    """

    def __init__(self, sizes: Sequence[int], units: int | None = None, indicators: Sequence[int] | None = None) -> None:
        self.sizes = category_sizes(sizes)
        self.indicators = self.sizes if indicators is None else [positive_int("skip_categories", n) for n in indicators]
        if len(self.indicators) != len(self.sizes):
            refuse("skip_categories", indicators, f"have a number for each of {len(self.sizes)} categories")
        if units is not None:
            positive_int("embedding_units", units)
        self._tables = [
            keras.layers.Embedding(size, units or min(_WIDEST, (size + 1) // 2), name=f"category_{position}")
            for position, size in enumerate(self.sizes)
        ]

    def split(self, sequence: Tensor, count: int, *, name: str) -> tuple[Tensor | None, list[Tensor]]:
        """The numbers, None where there are none, and the codes of the first `count` categories, the last columns."""
        numbers, *codes = SplitCategories(self.sizes[:count], name=name)(sequence)
        return (numbers if numbers.shape[-1] else None), codes

    def join(self, numbers: Tensor | None, codes: Sequence[Tensor], *, name: str) -> Tensor:
        """The numbers with the vectors beside them, `(batch, time, width)`."""
        vectors = [table(code) for table, code in zip(self._tables, codes, strict=False)]
        return _beside(numbers, vectors, name)

    def indicate(self, numbers: Tensor | None, codes: Sequence[Tensor], fixed: int, *, name: str) -> Tensor | None:
        """The numbers with columns of 0 and 1 beside them, as a linear map sees them, without the `fixed` first categories."""
        columns = [
            Indicators(size, name=f"{name}_{position}")(code)
            for position, (size, code) in enumerate(zip(self.indicators, codes, strict=False))
            if position >= fixed
        ]
        return _beside(numbers, columns, name)

    def indicate_once(self, codes: Sequence[Tensor], fixed: int, *, name: str) -> Tensor | None:
        """The `fixed` first categories as columns of 0 and 1, `(batch, 1, width)`; None without them."""
        columns = [
            Indicators(size, newest=True, name=f"{name}_{position}")(code)
            for position, (size, code) in enumerate(zip(self.indicators[:fixed], codes[:fixed], strict=True))
        ]
        return _beside(None, columns, name)


def _beside(numbers: Tensor | None, columns: Sequence[Tensor], name: str) -> Tensor | None:
    parts = [*([] if numbers is None else [numbers]), *columns]
    if len(parts) < 2:
        return parts[0] if parts else None
    return keras.layers.Concatenate(name=name)(parts)
