"""Layers that say which steps count: masks from tokens and from the data, and where a mask ends."""

from collections.abc import Sequence

import keras

from seq2seq_kit.models.keras_compat import Tensor

_PACKAGE = "seq2seq_kit"
Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package=_PACKAGE)
class OneHot(keras.layers.Layer):
    """Numbers of tokens as vectors with a single 1; padding, number 0, as zeros, and masked.

    Args:
        depth: Numbers in use besides padding: 1 to `depth`.
        mask_zero: Whether 0 is masked, as in Keras' `Embedding`; not where it is a token like the others.

    Input shape:
        `(batch, steps)`, whole numbers.

    Output shape:
        `(batch, steps, depth)`.
    """

    def __init__(self, depth: int, mask_zero: bool = True, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.depth = depth
        self.mask_zero = mask_zero
        self.supports_masking = True

    def call(self, numbers: Tensor) -> Tensor:
        return keras.ops.one_hot(numbers - 1, self.depth, dtype=self.compute_dtype)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return keras.ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.depth)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"depth": self.depth, "mask_zero": self.mask_zero}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class WithMask(keras.layers.Layer):
    """Values whose padded steps are zeroed and masked.

    Input shape:
        A list of the values, `(batch, steps, features)`, and of what counts, `(batch, steps)`: 1, or 0 for padding.

    Output shape:
        `(batch, steps, features)`.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        values, valid = inputs
        # Not a product: what stands in a padded step may be no number.
        return keras.ops.where(valid[..., None] > 0, values, keras.ops.zeros_like(values))

    def compute_mask(self, inputs: Sequence[Tensor], mask: object = None) -> Tensor:
        return inputs[1] > 0

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return input_shape[0]


@keras.saving.register_keras_serializable(package=_PACKAGE)
class DropMask(keras.layers.Layer):
    """The same values without a mask: behind it the loss alone decides what counts, by its targets.

    Input shape:
        Any.

    Output shape:
        The same.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return keras.ops.copy(inputs)  # a tensor of its own: the mask hangs on the other one

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> None:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@keras.saving.register_keras_serializable(package=_PACKAGE)
class MixPrevious(keras.layers.Layer):
    """In training, some of the true outputs before each step are replaced by the model's own (Bengio et al. 2015).

    All steps at once: the model's own come from a first pass over the true ones (Mihaylova and Martins 2019).

    Input shape:
        A list of what stands before each step, `(batch, steps)` for tokens or `(batch, steps, targets)`, and of the first pass'
        outputs, `(batch, steps, ...)`: scores of tokens, or values.

    Output shape:
        That of the first.
    """

    def __init__(self, seed: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.ratio = self.add_weight(shape=(), initializer="ones", trainable=False, name="ratio")

    def call(self, inputs: Sequence[Tensor], training: bool | None = None) -> Tensor:
        previous, own = inputs
        if not training:
            return previous
        if len(own.shape) > len(previous.shape):
            own = keras.ops.cast(keras.ops.argmax(own, axis=-1), previous.dtype)
        own = keras.ops.concatenate([previous[:, :1], own[:, :-1]], axis=1)
        steps = keras.ops.shape(previous)[:2]
        kept = keras.random.uniform(steps, seed=self.seed_generator) < self.ratio
        return keras.ops.where(kept if len(previous.shape) == 2 else kept[..., None], previous, own)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return input_shape[0]
