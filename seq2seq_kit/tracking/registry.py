"""MLflow's registry of models: the run that a name such as `models:/load@champion` means, and a version for a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seq2seq_kit.errors import ArgumentError, TrackingError
from seq2seq_kit.recipe.messages import did_you_mean
from seq2seq_kit.tracking.calls import kit_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

    from seq2seq_kit.tracking.client import Tracking

SCHEME = "models:/"
NEWEST = "latest"
_FORM = "models:/NAME@ALIAS or models:/NAME/VERSION"
_LOGGED = re.compile(rf"{SCHEME}(m-[0-9a-f]{{32}})")
_SERVED, _OURS = ("model", "network"), "seq2seq-kit "
_ALIAS = re.compile(r"(?!v?\d+$)(?!latest$)[A-Za-z0-9_-]{1,100}", re.IGNORECASE)
_NAME = re.compile(r"[^/:@]{1,250}")
_TAG = "seq2seq_kit."
_MOST_DESCRIBED = 5_000  # letters of a description in MLflow's tables
_ABSENT = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        name: Of the model.
        number: Of the version.
        run_id: The run that it came from; empty where MLflow knows none.
        model_id: Of the model that was logged, in MLflow's words; empty where it knows none.
    """

    name: str
    number: str
    run_id: str
    model_id: str = ""


def is_registered(run: object) -> bool:
    """Whether a run is named by the registry: `models:/...`."""
    return isinstance(run, str) and run.startswith(SCHEME)


def run_of(client: MlflowClient, uri: str, name: str) -> Run:
    """The run behind a name of the registry.

    Args:
        client: Of the store.
        uri: Of the store, for messages.
        name: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/NAME/latest`, or a logged model, `models:/m-...`.

    Raises:
        TrackingError: There is no such model, alias or version, or it is no model of this kit.
    """
    import mlflow

    rest = name.removeprefix(SCHEME).strip("/")
    with kit_errors(uri):
        if _LOGGED.fullmatch(f"{SCHEME}{rest}"):
            found = Version(rest, "", "", rest)
        elif "@" in rest:
            found = _by_alias(client, *rest.rsplit("@", 1))
        elif re.fullmatch(rf".+/({NEWEST}|[0-9]{{1,9}})", rest):
            found = _by_number(client, *rest.rsplit("/", 1))
        else:
            said = f"a registered model is called by its alias or version, {_FORM}. Received: {name}"
            raise TrackingError(said, code="bad_model_uri")
        run_id = found.run_id
        try:
            if found.model_id:
                logged = client.get_logged_model(found.model_id)
                run_id = (logged.source_run_id or "") if logged.name in _SERVED else ""
            run = client.get_run(run_id) if run_id else None
        except mlflow.exceptions.MlflowException as error:
            if error.error_code != _ABSENT:
                raise
            run = None
    if run is None or not run.data.tags.get("mlflow.source.name", "").startswith(_OURS):
        raise TrackingError(
            f"{name} is no model of this kit: no run of it stands behind that version in {uri}. Expected a version of the model "
            "that a run logged. Register one: `seq2seq-kit register RUN --alias ALIAS`",
            code="foreign_model",
        )
    return run


def holder(tracking: Tracking, name: str, alias: str) -> Version | None:
    """The version that has an alias; None where no version has, or there is no such model.

    Raises:
        ArgumentError: MLflow takes no such name or alias.
    """
    if not _NAME.fullmatch(name) or not name.isprintable():
        said = f"a registered model has a name of up to 250 letters without /, : and @. Received: {name!r}. Give another --name"
        raise ArgumentError(said, code="bad_model_name")
    if not _ALIAS.fullmatch(alias):
        said = "an alias has letters, digits, - and _, and is no version (3, v3, latest)"
        raise ArgumentError(f"{said}. Received: {alias!r}. Give another --alias, such as champion", code="bad_alias")
    with kit_errors(tracking.uri):
        model = _model(tracking.client, name)
        number = None if model is None else model.aliases.get(alias)
        return None if number is None else _version(tracking.client, name, str(number))


def add_version(
    tracking: Tracking,
    run: Run,
    name: str,
    alias: str,
    *,
    paragraphs: Sequence[str],
    tags: Mapping[str, str],
    alias_tags: Mapping[str, str],
) -> Version:
    """Gives an alias to the version of a run's served model; it is made where the registry has none of this run.

    Args:
        tracking: The store.
        run: The run.
        name: Of the registered model, which is made where there is none.
        alias: Taken away from the version that has it.
        paragraphs: What MLflow's page of the version tells, in Markdown; added to what it tells already.
        tags: Of the version, `seq2seq_kit.KEY`.
        alias_tags: How it came to the alias, `seq2seq_kit.ALIAS.KEY`; those of earlier times at the same alias go.

    Raises:
        TrackingError: The run has no served model.
    """
    client = tracking.client
    with kit_errors(tracking.uri):
        outputs = run.outputs.model_outputs if run.outputs else []
        served = [client.get_logged_model(each.model_id) for each in outputs]
        models = sorted((each for each in served if each.name == "model"), key=lambda each: each.creation_timestamp)
        if not models:
            raise TrackingError(
                f"the run {run.info.run_id} has no served model, so there is nothing to register: it was cut short, or its model "
                "is made of a program's own classes. Expected a finished run of this kit. Train it again",
                code="no_served_model",
            )
        model_id = models[-1].model_id
        model = _model(client, name)
        if model is None:
            client.create_registered_model(name)
        known = [
            each for each in _versions(client, name) if each.run_id == run.info.run_id and each.model_id == model_id
        ]
        if known:
            found = known[-1]
            stored = client.get_model_version(name, found.number)
            client.update_model_version(name, found.number, _described(stored.description or "", paragraphs))
            own = f"{_TAG}{alias}."
            for key in [key for key in stored.tags if key.startswith(own) and key.removeprefix(own) not in alias_tags]:
                client.delete_model_version_tag(name, found.number, key)
        else:
            said = _described("", paragraphs)
            made = client.create_model_version(
                name, f"{SCHEME}{model_id}", run.info.run_id, description=said, model_id=model_id
            )
            found = Version(name, str(made.version), run.info.run_id, model_id)
        for key, value in {**tags, **{f"{alias}.{key}": value for key, value in alias_tags.items()}}.items():
            client.set_model_version_tag(name, found.number, f"{_TAG}{key}", value)
        client.set_registered_model_alias(name, alias, found.number)
    return found


def _described(before: str, paragraphs: Sequence[str]) -> str:
    """A description with more paragraphs, each once; where a store would cut it, the oldest but the first make room."""
    first, *others = dict.fromkeys([*filter(None, before.split("\n\n")), *paragraphs])
    while others and len("\n\n".join([first, *others])) > _MOST_DESCRIBED:
        del others[0]
    return "\n\n".join([first, *others])[:_MOST_DESCRIBED]


def _by_alias(client: MlflowClient, name: str, alias: str) -> Version:
    model = _require(client, name)
    number = model.aliases.get(alias)
    if number is None:
        have = f"it has {', '.join(sorted(model.aliases))}" if model.aliases else "it has none"
        raise TrackingError(
            f"no version of the registered model {name} has the alias {alias}; {have}"
            f"{did_you_mean(alias, list(model.aliases), otherwise='.')} Give one to a run: "
            f"`seq2seq-kit register RUN --name {name} --alias {alias}`",
            code="unknown_alias",
        )
    return _version(client, name, str(number))


def _by_number(client: MlflowClient, name: str, number: str) -> Version:
    _require(client, name)
    versions = _versions(client, name)
    for found in versions:
        if int(found.number) == (int(versions[-1].number) if number == NEWEST else int(number)):
            return found
    have = ", ".join(each.number for each in versions[-10:]) or "none"
    said = f"the registered model {name} has no version {number}; it has {have}"
    raise TrackingError(f"{said}. Name one of them, or an alias: {_FORM}", code="unknown_version")


def _require(client: MlflowClient, name: str) -> RegisteredModel:
    model = _model(client, name)
    if model is None:
        names = [each.name for each in client.search_registered_models(max_results=100)]
        have = f"There are {', '.join(names[:10])}" if names else "There is none yet"
        raise TrackingError(
            f"there is no registered model {name}{did_you_mean(name, names, otherwise='.')} {have}. Register a run: "
            f"`seq2seq-kit register RUN --alias champion`",
            code="unknown_model",
        )
    return model


def _model(client: MlflowClient, name: str) -> RegisteredModel | None:
    import mlflow

    try:
        return client.get_registered_model(name)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != _ABSENT:
            raise
        return None


def _version(client: MlflowClient, name: str, number: str) -> Version:
    return _of(client.get_model_version(name, number))


def _of(found: ModelVersion) -> Version:
    logged = _LOGGED.fullmatch(found.source or "")  # the store's SQL has no place for `model_id`
    return Version(found.name, str(found.version), found.run_id or "", found.model_id or (logged[1] if logged else ""))


def _versions(client: MlflowClient, name: str) -> list[Version]:
    """Versions by their number. A name with a quote cannot be searched for, so all pages of others are gone through."""
    found, token = [], None
    while True:
        page = client.search_model_versions(
            "" if "'" in name else f"name = '{name}'", max_results=1_000, page_token=token
        )
        found += [_of(each) for each in page if each.name == name]
        token = page.token
        if not token:
            return sorted(found, key=lambda each: int(each.number))
