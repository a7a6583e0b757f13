"""A label for each step: recurrent layers that give up every step, and one map to the labels for all of them."""

from collections.abc import Sequence
from typing import Literal

import keras

from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import boolean, fraction, positive_int, units_list
from seq2seq_kit.models.blocks import Recurrent, padded_values
from seq2seq_kit.models.characters import FoldSteps, UnfoldSteps
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.masks import DropMask, WithMask

Cell = Literal["lstm", "gru"]


def build_tagger(
    *,
    labels: int,
    input_features: int | None = None,
    tokens: int | None = None,
    embedding_dim: int = 64,
    token_dropout: float = 0.0,
    characters: int = 0,
    character_steps: int = 16,
    character_dim: int = 16,
    character_units: int = 0,
    units: Sequence[int] = (64,),
    bidirectional: bool = False,
    cell: Literal["lstm", "gru"] = "lstm",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
) -> keras.Model:
    """A sequence of tokens or of numbers to a label for each step.

    Args:
        labels: Labels to tell apart.
        input_features: Columns of the values; None where the model reads tokens.
        tokens: Numbers of tokens in use, padding included; None where the model reads values.
        embedding_dim: Width of a token's learned vector.
        token_dropout: Share of the tokens whose learned vectors are dropped whole in training, in [0, 1): what a model learns to
            tell by characters and neighbours it can also tell of a token that training never saw.
        characters: Numbers of characters in use, padding included.
        character_steps: Characters of a token that are read.
        character_dim: Width of a character's learned vector.
        character_units: Units, in each direction, of the layer that reads a token's characters; 0: it reads none.
        units: Units of each recurrent layer, first to last.
        bidirectional: Layers read the sequence in both directions, so a label depends on what follows, too.
        cell: `lstm` or `gru`.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1).
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.

    Returns:
        An uncompiled model whose outputs are logits.

    Input shape:
        `tokens`: `(batch, any)`, whole numbers, padded with 0 on the right, and with `character_units` also `characters`:
        `(batch, any, character_steps)`; or `values`: `(batch, any, input_features)` and `valid`: `(batch, any)`, 1 or 0.

    Output shape:
        `(batch, any, labels)`.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> build_tagger(labels=17, tokens=1000, units=[32], bidirectional=True).output_shape
        (None, None, 17)
    """
    positive_int("labels", labels, least=2)
    boolean("bidirectional", bidirectional)
    positive_int("embedding_dim", embedding_dim)
    positive_int("character_steps", character_steps)
    positive_int("character_dim", character_dim)
    positive_int("character_units", character_units, least=0)
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2)
    if tokens is None:
        inputs, read = padded_values(input_features, mask="masked")
    else:
        numbers = keras.Input((None,), dtype="int32", name="tokens")
        read = keras.layers.Embedding(positive_int("tokens", tokens), embedding_dim, name="token_embedding")(numbers)
        inputs = [numbers]
        if fraction("token_dropout", token_dropout):
            read = keras.layers.Dropout(token_dropout, noise_shape=(None, None, 1), name="token_dropout")(read)
        if character_units:
            letters = keras.Input((None, character_steps), dtype="int32", name="characters")
            inputs.append(letters)
            spelled = _spell(letters, characters, character_dim, character_units, recurrent)
            read = keras.layers.Concatenate(name="token_and_spelling")([read, spelled])
        read = WithMask(name="masked")([read, numbers])
    for position, width in enumerate(units_list("units", units)):
        name = f"recurrent_{position}"
        inner = recurrent.layer(width, return_sequences=True, name=f"{name}_cell" if bidirectional else name)
        read = (keras.layers.Bidirectional(inner, name=name) if bidirectional else inner)(read)
    # The same map at every step, as TimeDistributed(Dense) is; that one needs to know the number of steps.
    outputs = keras.layers.Dense(labels, name="output")(DropMask(name="unmasked")(read))
    return accelerate(keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name="tagger"))


def _spell(letters: Tensor, characters: int, width: int, units: int, recurrent: Recurrent) -> Tensor:
    """A vector for each token out of its characters, `(batch, any, 2 * units)`: read from both ends (Ling et al. 2015)."""
    folded = FoldSteps(name="characters_fold")(letters)
    size = positive_int("characters", characters, least=2)
    vectors = keras.layers.Embedding(size, width, mask_zero=True, name="character_embedding")(folded)
    # A padded token has no characters at all, and cuDNN's kernel refuses a row that is masked from end to end.
    inner = recurrent.layer(units, return_sequences=False, name="spelling_cell", use_cudnn=False)
    return UnfoldSteps(name="characters_unfold")([keras.layers.Bidirectional(inner, name="spelling")(vectors), letters])
