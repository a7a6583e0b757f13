"""What a recipe for a forecast over a horizon may say."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.detect_fields import DETECT, Detect
from seq2seq_kit.recipe.ensemble_fields import WindowEnsembleKey
from seq2seq_kit.recipe.ensemble_rules import members_read_the_newest_steps
from seq2seq_kit.recipe.fields import (
    AUTOREGRESSIVE,
    BRIDGE,
    MONITOR,
    TEACHER_FORCING,
    HorizonData,
    Model,
    Recipe,
    Rule,
    TeacherForcing,
    Written,
)
from seq2seq_kit.recipe.interval_fields import (
    LEVELS,
    OWN_INTERVALS,
    Levels,
    OwnKind,
    intervals_have_levels_and_rows,
    open_calibration,
    quantiles_are_of_all_steps_at_once,
)
from seq2seq_kit.recipe.model_rules import (
    a_decoder_with_states_has_the_encoders_units,
    a_memory_is_of_a_forget_gate,
    a_pyramid_has_layers_to_join,
    segments_and_pyramid_divide_the_steps,
    true_outputs_are_for_decoders_that_read_them,
)
from seq2seq_kit.recipe.robust_fields import RobustTraining
from seq2seq_kit.recipe.rules import TABLE_RULES, names_of, row_groups_are_read_as_they_stand
from seq2seq_kit.recipe.split_rules import a_split_in_time_leaves_training_rows
from seq2seq_kit.recipe.transform_rules import WINDOW_RULES


class ForecastData(HorizonData):
    """The table of a forecast: inputs of the past, targets of the steps after it."""

    framing: Literal["horizon"] = Field(
        "horizon",
        description="horizon: windows, all steps ahead at once; next_step: whole sequences, one step at a time.",
    )


class ForecastModel(Model):
    """The layers of a forecast."""

    bridge: Literal["repeat", "state", "attention"] = Field("repeat", description=BRIDGE)

    channels: Literal["joint", "independent"] = Field(
        "joint", description="independent: each target is a series of its own, all with the same weights."
    )
    normalise: Literal["none", "last", "mean_std"] = Field(
        "none",
        description="What is subtracted from each window's measured columns and added back to the forecast; "
        "where nothing is said `last`, if every target is read and `data.missing` is not `mask`.",
    )
    decoder_state: Literal["zeros", "encoder"] = Field(
        "zeros", description="encoder: decoder layer i starts from the final states of encoder layer i."
    )
    linear_skip: bool = Field(
        False,
        description="A linear map from the window, fitted in closed form, to which the decoder's output is added "
        "(bridge: repeat); where nothing is said true.",
    )


class ForecastTraining(RobustTraining):
    """The fit of a forecast."""

    monitor: Literal["val_loss", "val_mase"] = Field("val_loss", description=MONITOR)  # type: ignore[assignment]
    teacher_forcing: TeacherForcing = Field(default_factory=lambda: [1.0, 1.0], description=TEACHER_FORCING)


# Keys that only `bridge: repeat` has: the builder of an autoregressive forecaster takes no such arguments.
REPEAT_ONLY = (
    "segment_steps",
    "channels",
    "normalise",
    "position_embedding",
    "decoder_state",
    "output_dropout",
    "linear_skip",
)


def a_target_is_not_known(recipe: Written) -> Iterator[Problem]:
    known, targets = names_of(recipe.data, "known_future"), names_of(recipe.data, "targets")
    leaked = [name for name in dict.fromkeys(targets) if name in known]
    if leaked:
        said = f"{', '.join(leaked)} is in `targets` and in `known_future`; a target is not known"
        yield Problem("data.known_future", said, "target_leak")


def independent_channels_are_the_first_inputs(recipe: Written) -> Iterator[Problem]:
    inputs, targets = names_of(recipe.data, "inputs"), names_of(recipe.data, "targets")
    if recipe.model.get("channels") == "independent" and inputs and targets and inputs[: len(targets)] != targets:
        wanted = [*targets, *(name for name in inputs if name not in targets)]
        said = f"`model.channels: independent` needs the targets first, in their order: [{', '.join(wanted)}]"
        yield Problem("data.inputs", f"{said}. Received: [{', '.join(inputs)}]", "missing_input")


def what_is_normalised_is_read(recipe: Written) -> Iterator[Problem]:
    absent, method = _targets_not_read(recipe), recipe.model.get("normalise")
    if method in ("last", "mean_std") and absent:
        said = f"`normalise: {method}` needs every target among `data.inputs`; add {', '.join(absent)} there"
        yield Problem("model.normalise", said, "missing_input")


def a_masked_cell_is_no_value_of_a_window(recipe: Written) -> Iterator[Problem]:
    masks = {
        "missing: mask": recipe.data.get("missing") == "mask",
        "short_series: pad": recipe.data.get("short_series") == "pad",
    }
    masking = next((key for key, masked in masks.items() if masked), None)
    if masking is None:
        return
    for key, values, why in (
        ("normalise", ("last", "mean_std"), "whose cells hold a stand-in and no value of the window"),
        ("channels", ("independent",), "whose flags belong to single columns"),
    ):
        if recipe.model.get(key) in values:
            said = f"cannot be combined with `data.{masking}`, {why}"
            other = (
                "`data.missing: interpolate` or `ffill`"
                if masking == "missing: mask"
                else "`data.short_series: leave_out`"
            )
            advice = f"Choose {other}, or leave this key out"
            yield Problem(f"model.{key}", f"{said}. {advice}", "conflicting_keys")


def an_autoregressive_decoder_stands_alone(recipe: Written) -> Iterator[Problem]:
    model, bridge = recipe.model, recipe.model.get("bridge")
    if bridge not in AUTOREGRESSIVE:
        return
    for key in REPEAT_ONLY:
        if key in model and model[key] != ForecastModel.model_fields[key].default:
            said = f"cannot be combined with `bridge: {bridge}`, whose decoder is autoregressive"
            yield Problem(f"model.{key}", f"{said}. Leave it out, or choose `bridge: repeat`", "conflicting_keys")
    absent = _targets_not_read(recipe)
    if absent:
        said = (
            f"`bridge: {bridge}` starts from the newest value of each target; add {', '.join(absent)} to `data.inputs`"
        )
        yield Problem("model.bridge", said, "missing_input")
    if recipe.data.get("gap_steps"):
        said = f"must be 0 for `bridge: {bridge}`, which continues right after the inputs"
        yield Problem("data.gap_steps", said, "conflicting_keys")


def _targets_not_read(recipe: Written) -> list[str]:
    inputs = names_of(recipe.data, "inputs")
    return [name for name in names_of(recipe.data, "targets") if inputs and name not in inputs]


def open_choices(values: Mapping[str, object]) -> dict[str, object]:
    """What a recipe gets that leaves the form of its model open: a model that begins as a line and follows the level of a window.

    Measured on six tables (docs/performance.md). A stored recipe has every key written out and keeps its meaning, as does one
    whose sweep searches what these keys depend on.
    """
    data, model, sweep = (values.get(name, {}) for name in ("data", "model", "sweep"))
    if not isinstance(data, Mapping) or not isinstance(model, Mapping):
        return {}
    searched = sweep.get("space") if isinstance(sweep, Mapping) else None
    searched = searched if isinstance(searched, Mapping) else {}
    complete = all(key in model for key in REPEAT_ONLY if key != "linear_skip")
    if complete or model.get("bridge", "repeat") != "repeat" or "model.bridge" in searched:
        return {}
    read, known = names_of(data, "inputs"), names_of(data, "known_future")
    level = all(name in read and name not in known for name in names_of(data, "targets"))
    masked = data.get("missing") == "mask" or data.get("short_series") == "pad"
    follows = level and not masked and "data.inputs" not in searched
    return {"linear_skip": True} | ({"normalise": "last"} if follows else {})


class ForecastRecipe(Recipe):
    """(input_steps, inputs) -> (output_steps, targets)."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TABLE_RULES,
        *WINDOW_RULES,
        a_target_is_not_known,
        row_groups_are_read_as_they_stand,
        a_split_in_time_leaves_training_rows,
        intervals_have_levels_and_rows,
        quantiles_are_of_all_steps_at_once,
        segments_and_pyramid_divide_the_steps,
        a_decoder_with_states_has_the_encoders_units,
        independent_channels_are_the_first_inputs,
        what_is_normalised_is_read,
        a_masked_cell_is_no_value_of_a_window,
        an_autoregressive_decoder_stands_alone,
        a_pyramid_has_layers_to_join,
        a_memory_is_of_a_forget_gate,
        true_outputs_are_for_decoders_that_read_them,
        members_read_the_newest_steps,
    )
    searched_data: ClassVar[tuple[str, ...]] = ("input_steps", "train_stride", "inputs", "calendar", "known_future")

    task: Literal["forecast"]
    ensemble: WindowEnsembleKey = None
    data: ForecastData
    model: ForecastModel = Field(default_factory=ForecastModel)
    training: ForecastTraining = Field(default_factory=ForecastTraining)
    detect: Detect | None = Field(None, description=DETECT)
    levels: Levels | None = Field(None, description=LEVELS)
    intervals: OwnKind | None = Field(None, description=OWN_INTERVALS)

    @model_validator(mode="before")
    @classmethod
    def _with_open_choices(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        values = {**values, **open_calibration(values)}
        if not (chosen := open_choices(values)):
            return values
        return {**values, "model": chosen | dict(values.get("model", {}))}
