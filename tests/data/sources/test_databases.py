"""A real PostgreSQL on loopback, SQLite and DuckDB files: what is read, in which order, and what a query cannot do."""

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import psycopg
import pytest

from seq2seq_kit import runs
from seq2seq_kit.data.sources import databases
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.tasks import open_job, parse_recipe
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.validation import validate
from tests.conftest import forecast_recipe, hourly_frame

PASSWORD = "geheim-4711"


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL of its own with a table `load`, 600 rows in no order; the address, which names its user."""
    programs = _programs()
    if programs is None:
        pytest.skip("needs PostgreSQL's own programs, and no initdb was found (Debian: apt-get install postgresql)")
    # PostgreSQL refuses to run as root.
    unprivileged = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is short
    (folder / "password").write_text(PASSWORD)
    if unprivileged:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
    run = [*unprivileged, str(programs / "initdb"), "-D", str(folder / "data"), "-U", "kit", "-E", "UTF8", "--no-sync"]
    subprocess.run([*run, "-A", "scram-sha-256", f"--pwfile={folder}/password"], check=True, capture_output=True)
    settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c timezone=America/New_York"
    control = [*unprivileged, str(programs / "pg_ctl"), "-D", str(folder / "data"), "-w", "-l", str(folder / "log")]
    subprocess.run([*control, "-o", settings, "start"], check=True, capture_output=True)
    try:
        with psycopg.connect(f"postgresql://kit@127.0.0.1:{port}/postgres", password=PASSWORD, autocommit=True) as made:
            made.execute('CREATE TABLE load ("time" timestamptz, site text, load numeric(12,6), heat real, day date)')
            rows = hourly_frame(300, series=("north", "south")).sample(frac=1, random_state=0)
            with made.cursor() as cursor, cursor.copy("COPY load FROM STDIN") as copy:
                for time, site, load, heat in rows.itertuples(index=False):
                    copy.write_row((f"{time}+00", site, load, heat, time.date()))
            made.execute("CREATE SCHEMA old")
            made.execute("CREATE TABLE old.load AS SELECT * FROM load WHERE site = 'north'")
        yield f"postgresql://kit@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`rows.db` (SQLite) and `rows.duckdb` with the same table in the current folder."""
    monkeypatch.chdir(tmp_path)
    frame = hourly_frame(300).sample(frac=1, random_state=0)
    with closing(sqlite3.connect("rows.db")) as made, made:
        frame.assign(time=frame["time"].astype(str)).to_sql("load", made, index=False)
    made.close()
    with duckdb.connect("rows.duckdb") as other:
        other.execute("CREATE TABLE load AS SELECT * FROM frame")
        other.execute("CREATE SEQUENCE counter")
    return tmp_path


def _refused(code: str, **data: object) -> str:
    with pytest.raises(DataError) as caught:
        validate(forecast_recipe(**data))
    assert caught.value.code == code
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
def test_a_table_of_a_server_is_read_in_order(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setattr(databases, "PIECE_ROWS", 100)
    expected = hourly_frame(300, series=("north", "south"))
    for asked in ({"table": "load"}, {"query": "SELECT * FROM load -- all of them;"}, {"query": "TABLE load;"}):
        job = open_job(parse_recipe(forecast_recipe(source=server, series="site", **asked)))
        assert isinstance(job.source, pd.DataFrame)
        assert job.series == ["north", "south"]
        np.testing.assert_allclose(job.source["load"], expected["load"], atol=1e-6)
        # The server's zone is New York's.
        assert pd.DatetimeIndex(job.source["time"]).equals(pd.DatetimeIndex(expected["time"]).tz_localize("UTC"))
        assert job.source.attrs["read"]["rows"] == [600]
    assert validate(forecast_recipe(source=server, table="old.load")).rows == 300
    days = forecast_recipe(
        source=server,
        time="day",
        every="1d",
        query="SELECT day, avg(load) AS load, avg(heat) AS heat FROM load GROUP BY day",
    )
    days["data"] |= {
        "input_steps": 2,
        "output_steps": 1,
        "calendar": ["day_of_week"],
        "split": {"val": 0.3, "test": 0.3},
    }
    assert validate(days).rows == 13


@pytest.mark.slow
def test_rows_of_a_server_stay_out_of_memory(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setattr(databases, "PIECE_ROWS", 70)
    memory = open_job(parse_recipe(forecast_recipe(source=server, table="old.load")))
    groups = open_job(parse_recipe(forecast_recipe(source=server, table="old.load", read="row_groups")))
    assert digest_of(memory.source, ["load"]) == digest_of(groups.source, ["load"])
    for one, other in zip(
        memory.examples.arrays("val", np.arange(3)), groups.examples.arrays("val", np.arange(3)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    monkeypatch.setattr(databases, "free_memory", lambda: 1000)
    assert "data.read: row_groups" in _refused("not_enough_memory", source=server, table="old.load")


@pytest.mark.slow
def test_what_a_server_refuses_is_told(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    assert "no password supplied" in _refused("database_login", source=server, table="load")
    monkeypatch.setenv("PGPASSWORD", "wrong")
    assert "wrong" not in _refused("database_login", source=server, table="load")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert 'relation "Load" does not exist' in _refused("missing_table", source=server, table="Load")
    assert 'column "when" does not exist' in _refused("query_failed", source=server, table="load", time="when")
    assert "does not exist" in _refused(
        "database_unreachable", source=server.replace("/postgres", "/void"), table="load"
    )
    assert "refused" in _refused("database_unreachable", source="postgresql://kit@127.0.0.1:1/void", table="load")
    assert "twice" in _refused(
        "duplicate_column", source=server, query="SELECT time, load AS twice, heat AS twice FROM load"
    )
    assert "has a header and no rows" in _refused("empty_table", source=server, query="SELECT * FROM load WHERE false")


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM load RETURNING *",
        "DELETE FROM load RETURNING * -- ORDER BY",
        "SELECT 1; DELETE FROM load -- ORDER BY",
        "WITH gone AS (DELETE FROM load RETURNING *) SELECT * FROM gone ORDER BY 1",
        "COPY load TO PROGRAM 'true' -- ORDER BY",
        "WITH gone AS (DELETE FROM load RETURNING *) SELECT * FROM gone",
        "SELECT 1; DELETE FROM load",
        "SELECT 1) AS a; COMMIT; DELETE FROM load; SELECT * FROM (SELECT 1",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "COPY load TO PROGRAM 'true'",
        "SELECT nextval('counter')",
        # Of the columns that the recipe asks for, so that only a transaction for reading stands in their way.
        "SELECT load.*, nextval('counter') FROM load",
        "SELECT load.*, set_config('transaction_read_only', 'off', false) FROM load",
        "SELECT load.*, wipe() FROM load",
    ],
)
def test_a_query_cannot_change_a_server(server: str, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with psycopg.connect(server, autocommit=True) as made:
        made.execute("CREATE SEQUENCE IF NOT EXISTS counter")
        made.execute("CREATE OR REPLACE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM load; SELECT 1'")
        recipe = forecast_recipe(source=server, query=query)
        if "ORDER BY" in query:  # it is not part of another SELECT then
            recipe["data"] = {
                key: value for key, value in recipe["data"].items() if key not in ("time", "every", "calendar")
            }
        with pytest.raises(DataError) as caught:
            validate(recipe)
        assert caught.value.code == "query_failed"
        assert made.execute("SELECT count(*) FROM load").fetchone() == (600,)


@pytest.mark.slow
def test_a_run_holds_no_password(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    recipe = forecast_recipe(source=server, table="old.load")
    recipe["training"]["epochs"] = 1
    result = runs.train(recipe, tracking_uri=str(tmp_path))
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(stored) > 10
    assert not [path for path in stored if PASSWORD.encode() in path.read_bytes()]
    rows = next(path for path in stored if path.name == "data_files.csv")
    assert rows.read_text().splitlines() == ["files,rows", f"{server} old.load,300"]
    predicted = result.bundle.predict(result.bundle.read(server))
    assert len(predicted) == 6
    again = next(path for path in stored if path.name == "recipe.yaml" and path.parent.name != "bundle")
    monkeypatch.chdir(tmp_path)
    assert digest_of(open_job(parse_recipe(recipe)).source, ["load"]) == digest_of(
        open_job(runs.resolve(again)).source, ["load"]
    )


@pytest.mark.parametrize("source", ["sqlite:///rows.db", "duckdb:///rows.duckdb"])
def test_a_file_of_a_database_is_read_in_order(files: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PIECE_ROWS", 70)
    for asked in (source, source.replace(":///", f":///{files}/")):
        for read in ("memory", "row_groups") if source.startswith("duckdb") else ("memory",):
            job = open_job(parse_recipe(forecast_recipe(source=asked, table="load", read=read)))
            np.testing.assert_allclose(job.source.iloc[0:300]["load"], hourly_frame(300)["load"])


COUNTED = "SELECT *, nextval('counter') FROM load"  # a file that is opened for writing would let it through


@pytest.mark.parametrize("source", ["sqlite:///rows.db", "duckdb:///rows.duckdb"])
def test_a_query_of_a_file_only_reads_that_file(files: Path, source: str) -> None:
    Path("secret.csv").write_text("load,heat\n1,2\n")
    before = Path(source.partition(":///")[2]).read_bytes()
    for query in (
        "DELETE FROM load RETURNING *",
        "SELECT 1) AS a; DROP TABLE load; SELECT * FROM (SELECT 1",
        "SELECT 1) AS a; ATTACH 'other.db' AS other; SELECT * FROM (SELECT 1",
        "SELECT load_extension('secret')",
        *(["SELECT * FROM read_csv('secret.csv')", COUNTED] if source.startswith("duckdb") else []),
    ):
        _refused("query_failed", source=source, query=query)
    assert Path(source.partition(":///")[2]).read_bytes() == before
    assert not Path("other.db").exists()


@pytest.mark.parametrize("source", ["sqlite:///rows.db", "duckdb:///rows.duckdb"])
def test_a_wrong_table_or_file_is_told(files: Path, source: str) -> None:
    _refused("missing_table", source=source, table="none")
    _refused("file_not_found", source=source.replace("rows", "none"), table="load")
    assert not list(files.glob("none*"))
    Path(source.partition(":///")[2]).write_bytes(b"nonsense" * 1000)
    _refused("unreadable_file", source=source, table="load")


WITHOUT_TIMES = "SELECT load, heat, 'north' AS site FROM load ORDER BY time DESC"


def _without_times(source: str) -> list[float]:
    recipe = forecast_recipe(source=source, query=WITHOUT_TIMES, series="site")
    recipe["data"] = {key: value for key, value in recipe["data"].items() if key not in ("time", "every", "calendar")}
    return open_job(parse_recipe(recipe)).source.iloc[0:300]["load"].tolist()


@pytest.mark.parametrize("source", ["sqlite:///rows.db", "duckdb:///rows.duckdb"])
def test_without_times_the_order_is_the_querys(files: Path, source: str) -> None:
    np.testing.assert_allclose(_without_times(source), hourly_frame(300)["load"][::-1])
    for query in (
        "DELETE FROM load RETURNING * -- ORDER BY",
        "SET threads = 1 -- ORDER BY",
        "SET enable_external_access = true; SELECT * FROM load -- ORDER BY",
        "CREATE TABLE x (a INT) -- ORDER BY",
    ):
        section = parse_recipe(forecast_recipe(source=source, query=query)).data.model_copy(update={"time": None})
        with pytest.raises(DataError) as caught:
            databases.read_database(source, section)  # type: ignore[arg-type]
        assert caught.value.code == "query_failed"


def test_missing_cells_of_one_piece_leave_numbers(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PIECE_ROWS", 2)
    query = "SELECT * FROM (VALUES (1, NULL), (2, NULL), (3, 5)) ORDER BY 1"
    section = parse_recipe(forecast_recipe(source="sqlite:///rows.db", query=query)).data
    frame = databases.read_database("sqlite:///rows.db", section.model_copy(update={"time": None}))  # type: ignore[arg-type]
    assert frame.iloc[:, 1].dtype == np.float64


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        ({"source": "postgresql://host/db"}, "missing_key", "Add `table: <name>` or `query: SELECT ...`"),
        ({"source": "postgresql://host/db", "table": "a", "query": "b"}, "conflicting_keys", "Leave one of them out"),
        ({"source": "rows.csv", "table": "a"}, "conflicting_keys", "`table` is about a database"),
        ({"source": ["a.csv", "sqlite:///a.db"]}, "conflicting_keys", "a list names files"),
        ({"source": "mysql://host/db", "table": "a"}, "unknown_database", "hand over the frame"),
        ({"source": "postgres://host/db", "table": "a"}, "unknown_database", "Write postgresql://"),
        ({"source": "sqlite:///a.db", "query": "SELECT 1", "time": None}, "missing_key", "ORDER BY"),
    ],
)  # fmt: skip
def test_what_a_recipe_says_of_a_database_is_checked(data: dict[str, object], code: str, said: str) -> None:
    recipe = forecast_recipe(**data)
    if recipe["data"]["time"] is None:
        recipe["data"] = {
            key: value for key, value in recipe["data"].items() if key not in ("time", "every", "calendar")
        }
    with pytest.raises(RecipeError) as caught:
        parse_recipe(recipe)
    assert code in [problem.code for problem in caught.value.problems]
    assert said in str(caught.value)
