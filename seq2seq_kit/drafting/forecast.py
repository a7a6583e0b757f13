"""The recipe of a forecast, from what its table is."""

from collections.abc import Sequence

from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.drafting.inputs import choose_inputs
from seq2seq_kit.drafting.keys import has_key
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.drafting.rows import clock_keys, missing_keys, series_keys, usable_rows
from seq2seq_kit.drafting.seasons import Season, find_seasons
from seq2seq_kit.drafting.signal import Signal, look_at, training_rows
from seq2seq_kit.drafting.sizes import Effort, Lengths, choose_effort, choose_lengths, steps_ahead
from seq2seq_kit.drafting.table import Inspected
from seq2seq_kit.drafting.targets import Targets, choose_targets
from seq2seq_kit.recipe.fields import Recipe

_DAY = 86400
_OFTEN = 0.002  # share of values far off from which they are of the series and no slips
_WANDERS = 0.15  # share of the variance between windows from which a level is not that of the training rows


def draft_forecast(
    table: Inspected,
    kind: type[Recipe],
    target: list[str],
    ahead: str | int | None,
    notes: Notes,
    known: Sequence[str] = (),
) -> dict[str, object]:
    """The values of the recipe; `known` are columns whose values are known ahead.

    Raises:
        DataError: The table holds nothing to forecast, or too few rows; a column of `known` is not there, or a target.
        ArgumentError: `ahead` is no number of steps.
    """
    origin, roles = table.source.origin, table.roles
    targets = choose_targets(table.source.frame, roles.numbers, target, notes, origin, left_out=roles.left_out)
    keys = clock_keys(table, kind, notes)
    every = table.every if keys else None
    rows = usable_rows(table, targets.names, keys)
    main = targets.names[0]
    longest = training_rows(table.on_grid(main))
    seasons = find_seasons(longest, every)
    notes.say(
        "", f"seasons of {main}: {'; '.join(season.told for season in seasons) or 'none that stands out of chance'}"
    )
    asked = None if ahead is None else steps_ahead(ahead, every)
    count = len(table.on_grid(main)) if table.series else 1
    lengths = choose_lengths(rows, seasons, every, asked, notes, origin, series=count)
    read = choose_inputs(table, targets, known, seasons, lengths, notes)
    seen = look_at(longest, lengths.input_steps)
    _tell_signal(seen, main, notes)
    calendar = _calendar(every, seasons, notes)
    data = dict(table.source.keys) | keys | series_keys(table, main, kind, notes)
    data |= {"inputs": read.inputs, "targets": targets.names} | read.keys | ({"calendar": calendar} if calendar else {})
    data |= {"input_steps": lengths.input_steps, "output_steps": lengths.output_steps}
    data |= missing_keys(table, read.numbers, keys, notes) | _transform(seen, targets, kind, notes)
    data["split"] = lengths.split
    channels = len(targets.names) if targets.wide else 1
    recurrence = (lengths.input_steps + lengths.output_steps) // lengths.segment
    features = read.features + len(calendar) * 2
    effort = choose_effort(
        _windows(rows, lengths), channels, recurrence, features, notes, most_stride=lengths.output_steps
    )
    data |= {"window_stride": effort.stride} if effort.stride > 1 else {}
    training = {"learning_rate": effort.learning_rate, "schedule": "cosine", "batch_size": effort.batch_size}
    if seen.far > _OFTEN:
        notes.say("loss", f"{seen.far:.1%} of the values lie far off; huber is not drawn to them")
        training["loss"] = "huber"
    training |= {"epochs": effort.epochs, "patience": None}
    return {"data": data, "model": _model(effort, lengths, seen, channels > 1, notes), "training": training}


def _model(effort: Effort, lengths: Lengths, seen: Signal, independent: bool, notes: Notes) -> dict[str, object]:
    layers: dict[str, object] = {"encoder_units": [effort.units], "decoder_units": [effort.units]}
    layers |= {"decoder_state": "encoder", "position_embedding": True}
    if lengths.segment > 1:
        recurrence = (lengths.input_steps + lengths.output_steps) // lengths.segment
        said = f"{lengths.segment} steps are read at once, so that the recurrence has {recurrence} steps"
        notes.say("segment_steps", said)
        layers["segment_steps"] = lengths.segment
    if independent:
        notes.say("channels", "one model for all columns, each with a vector of its own")
        layers["channels"] = "independent"
    notes.say("linear_skip", "a line from the window, fitted first; the network learns what a line cannot say")
    return layers | _normalise(seen, notes) | {"output_dropout": effort.dropout, "linear_skip": True}


def _tell_signal(seen: Signal, name: str, notes: Notes) -> None:
    if seen.intermittent:
        notes.say(
            "", f"{name} is zero in {seen.zeros:.0%} of the rows: its mean can be forecast, its single events hardly"
        )
    if seen.far:
        notes.say(
            "",
            f"{seen.far:.2%} of {name} lie more than eight quartile distances off; if they are errors, set data.limits",
        )
    if abs(seen.trend) > 1:
        notes.say(
            "",
            f"{name} {'rises' if seen.trend > 0 else 'falls'} by {abs(seen.trend):.1f} standard deviations in the training rows",
        )
    elif seen.shift > 2:
        notes.say("", f"the level of {name} changes by {seen.shift:.1f} standard deviations somewhere")


def _calendar(every: Every | None, seasons: list[Season], notes: Notes) -> list[str]:
    if every is None:
        return []
    below_day = bool(every.seconds) and every.seconds < _DAY
    features = {
        "hour": [],
        "day": ["hour"] if below_day else [],
        "week": ["hour_of_week", "weekend"] if below_day else ["day_of_week"],
        "year": ["month"] if every.months else ["day_of_year"],
    }
    found = [name for season in seasons for name in features.get(season.name, [])]
    if found:
        notes.say("calendar", "of the seasons that were found; also known for the steps ahead")
    return found


def _transform(seen: Signal, targets: Targets, kind: type[Recipe], notes: Notes) -> dict[str, object]:
    if not seen.grows or not has_key(kind, "data.transform"):
        return {}
    notes.say("transform", "the swing grows with the level, so logarithms are forecast and turned back")
    return {"transform": dict.fromkeys(targets.names, "log")}


def _normalise(seen: Signal, notes: Notes) -> dict[str, object]:
    if seen.moves < _WANDERS and abs(seen.trend) < 1:
        notes.say("normalise", f"the level stays: {seen.moves:.0%} of the variance lies between windows")
        return {"normalise": "none"}
    notes.say(
        "normalise",
        f"the level wanders ({seen.moves:.0%} of the variance lies between windows), so changes are forecast",
    )
    return {"normalise": "last"}


def _windows(rows: list[int], lengths: Lengths) -> int:
    """About how many windows there are to train on."""
    return sum(max(0, lengths.trained(count) - lengths.input_steps - lengths.output_steps + 1) for count in rows) or 1
