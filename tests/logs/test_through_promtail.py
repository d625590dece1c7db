"""Every recorded file, tailed by a real Promtail with our rules into a real Loki, is there as the entries beside it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agencystack.components.loki import Loki
from agencystack.logs import promtail
from tests.logs.arrived import Arrived, owner
from tests.logs.collectors import WHERE, running_loki, running_promtail
from tests.logs.golden import ZONE, Sample, samples

SAMPLES = list(samples())


def _job(sample: Sample) -> dict[str, Any]:
    return {
        "job_name": owner(sample),
        "static_configs": [{"targets": ["localhost"], "labels": {"__path__": str(sample.lines)}}],
        "pipeline_stages": promtail.pipeline(sample.component, sample.stream, owner(sample), zone=ZONE),
    }


def _settings(url: str, home: Path) -> str:
    text, yaml = io.StringIO(), YAML()
    # Wrapped, an expression with two spaces in a row would come out with one.
    yaml.width = sys.maxsize
    settings = {
        "positions": {"filename": str(home / "positions.yaml")},
        "clients": [{"url": f"{url}/loki/api/v1/push", "batchwait": "100ms"}],
        "scrape_configs": [_job(sample) for sample in SAMPLES],
    }
    yaml.dump(settings, text)
    return text.getvalue()


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrived]:
    root, began = tmp_path_factory.mktemp("collected"), datetime.now(UTC)
    with running_loki(root, old_entries=True) as store, running_promtail(root, _settings(store.url, root)):
        client = Loki(WHERE, store.url)
        yield Arrived(client, began, {})
        client.close()


@pytest.mark.real
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_arrives_in_loki_is_what_stands_beside_the_sample(sample: Sample, arrived: Arrived) -> None:
    arrived.check(sample)
