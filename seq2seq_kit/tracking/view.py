"""The list of runs as the kit opens it in MLflow's UI: result, best baseline, skill, and whether it is beaten.

MLflow keeps a shared view as a tag of the experiment and opens it by an argument of the address. A version that does not know it
shows its own columns.
"""

import json

# A row has room for four; what differs stands in the run's name, and the error in `result`.
_TAGS = ("result", "beats_baselines")
_METRICS = ("_baseline_error", "_skill", "sweep/objective")
SHARED_VIEW = "seq2seqkit"
OPENS_VIEW = f"viewStateShareKey={SHARED_VIEW}"


def view_tags() -> dict[str, str]:
    """The tag of an experiment that holds the view."""
    columns = [f"tags.`{name}`" for name in _TAGS] + [f"metrics.`{name}`" for name in _METRICS]
    state: dict[str, object] = {"selectedColumns": columns, "columnOrder": [], "columnWidths": {}}
    state |= {
        "runsExpanded": {},
        "runsPinned": [],
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "lifecycleFilter": "Active",
    }
    state |= {"searchFilter": "", "startTime": "ALL", "datasetsFilter": [], "modelVersionFilter": "All Runs"}
    return {f"mlflow.sharedViewState.{SHARED_VIEW}": json.dumps(state)}
