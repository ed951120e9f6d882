"""Parts on a cluster of two nodes: every row is answered once, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from hfattnlstm.deploy.parts import PartPredictor, find_parts


# Ray warns of its own settings.
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'hfattnlstm[ray]'")
TESTS = Path(__file__).parents[1]
COUNT, ROWS = 12, 20
# Its workers are processes that know nothing of pytest.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS), *filter(None, sys.path)]),
}


class Slow:
    """A pipeline that takes its time, and dies once where a file says so."""

    def __init__(self, dies: Path | None = None, seconds: float = 0.2):
        self.dies, self.seconds = dies, seconds

    def __call__(self, texts: list[str], **_: Any) -> list[dict[str, Any]]:
        time.sleep(self.seconds)
        if self.dies is not None and self.dies.exists():
            self.dies.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return [{"label": text.rpartition(" ")[2], "score": 1.0} for text in texts]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    os.environ |= ENVIRONMENT
    node = {"num_cpus": 2, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    cluster.connect()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for part in range(COUNT):
        rows = [f"text {part * ROWS + row}" for row in range(ROWS)]
        pa.parquet.write_table(pa.table({"text": rows}), folder / f"{part:02}.parquet")
    return folder


def answered(folder: Path) -> list[int]:
    """The numbers of all texts that have an answer."""
    assert not list(folder.rglob("*.unfinished"))
    tables = map(pa.parquet.read_table, sorted(folder.glob("*.parquet")))
    return sorted(int(label) for table in tables for label in table["predicted_label"].to_pylist())


def test_on_two_nodes(cluster, texts: Path, tmp_path: Path) -> None:
    from hfattnlstm.deploy.ray_engine import answer_with_ray

    parts = find_parts(texts, tmp_path / "answers")
    found = list(answer_with_ray(parts, PartPredictor(Slow), workers=3, timeout=120))
    assert sorted(one.part for one in found) == sorted(parts) and {one.rows for one in found} == {ROWS}
    assert answered(tmp_path / "answers") == list(range(COUNT * ROWS))


def test_a_worker_that_dies_loses_nothing(cluster, texts: Path, tmp_path: Path) -> None:
    from functools import partial

    from hfattnlstm.deploy.ray_engine import answer_with_ray

    dies = tmp_path / "dies"
    dies.touch()
    parts = find_parts(texts, tmp_path / "answers")
    found = list(answer_with_ray(parts, PartPredictor(partial(Slow, dies)), workers=2, timeout=180))
    assert not dies.exists() and len(found) == COUNT
    for left in (tmp_path / "answers").rglob(".*.unfinished"):
        left.unlink()
    assert answered(tmp_path / "answers") == list(range(COUNT * ROWS))


def test_a_part_that_cannot_be_read_keeps_nobody_waiting(cluster, texts: Path, tmp_path: Path) -> None:
    from hfattnlstm.deploy.ray_engine import answer_with_ray

    (texts / "03.parquet").write_bytes(b"PAR1")
    parts = find_parts(texts, tmp_path / "answers")
    found = list(answer_with_ray(parts, PartPredictor(Slow), workers=2, timeout=120))
    assert [one.error is None for one in sorted(found)].count(False) == 1 and len(found) == COUNT
    assert len(answered(tmp_path / "answers")) == (COUNT - 1) * ROWS


DRIVER = """
import sys
from functools import partial
from pathlib import Path
from hfattnlstm.deploy.parts import PartPredictor, find_parts
from hfattnlstm.deploy.ray_engine import answer_with_ray
from deploy.test_ray_engine import Slow
parts = [part for part in find_parts("texts", "answers") if not Path(part.target).exists()]
for one in answer_with_ray(parts, PartPredictor(partial(Slow, None, SECONDS)), workers=2, timeout=TIMEOUT):
    print(one.rows, flush=True)
"""


def driver_of(folder: Path, seconds: float, timeout: float) -> tuple[list[str], dict[str, Any]]:
    """A process with a cluster of its own, which ends with it."""
    environment = {name: value for name, value in (os.environ | ENVIRONMENT).items() if name != "RAY_ADDRESS"}
    code = DRIVER.replace("SECONDS", str(seconds)).replace("TIMEOUT", str(timeout))
    return [sys.executable, "-c", code], {"cwd": folder, "env": environment, "text": True}


def test_a_driver_that_dies_loses_nothing(texts: Path, tmp_path: Path) -> None:
    """Its cluster ends with it, and another one goes on with what is left."""
    command, started = driver_of(tmp_path, seconds=0.5, timeout=120)
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, **started)
    assert driver.stdout.readline().strip() == str(ROWS)
    driver.kill()
    driver.wait()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "answers").glob("*.parquet")}
    assert 0 < len(before) < COUNT
    done = subprocess.run(command, capture_output=True, timeout=300, **started)
    assert done.returncode == 0, done.stderr[-2_000:]
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "answers").glob("*.parquet")}
    assert {name: after[name] for name in before} == before
    for left in (tmp_path / "answers").rglob(".*.unfinished"):
        left.unlink()
    assert answered(tmp_path / "answers") == list(range(COUNT * ROWS))


def test_waiting_has_an_end(texts: Path, tmp_path: Path) -> None:
    command, started = driver_of(tmp_path, seconds=60, timeout=4)
    done = subprocess.run(command, capture_output=True, timeout=120, **started)
    assert done.returncode and "TimeoutError: No part was finished for 4 seconds" in done.stderr
