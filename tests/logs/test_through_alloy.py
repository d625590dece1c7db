"""Every recorded file, tailed by a real Alloy with our rules into a real Loki, is there as the entries beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agencystack.components.loki import Loki
from agencystack.logs import alloy
from tests.logs.arrived import Arrived, owner
from tests.logs.collectors import WHERE, running_alloy, running_loki, tailed, written_to
from tests.logs.golden import ZONE, Sample, samples

SAMPLES = list(samples())


def _fragment(sample: Sample) -> str:
    label = alloy.identifier(owner(sample))
    sent_to = "loki.write.test.receiver"
    rules = alloy.process(label, sample.component, sample.stream, owner(sample), forward_to=sent_to, zone=ZONE)
    return tailed(label, sample.lines, rules)


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrived]:
    root, began, refused = tmp_path_factory.mktemp("collected"), datetime.now(UTC), {}
    with (
        running_loki(root, old_entries=True) as store,
        running_alloy(root, {"write.alloy": written_to(store.url)}) as collector,
    ):
        for sample in SAMPLES:
            if reason := collector.refuses(f"{owner(sample)}.alloy", _fragment(sample)):
                refused[sample.name] = reason
        client = Loki(WHERE, store.url)
        yield Arrived(client, began, refused)
        client.close()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_ends_with_a_line_break(sample: Sample) -> None:
    """Alloy leaves a last line that has none unread: it may still be being written."""
    assert sample.lines.read_bytes().endswith(b"\n")


@pytest.mark.real
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_arrives_in_loki_is_what_stands_beside_the_sample(sample: Sample, arrived: Arrived) -> None:
    arrived.check(sample)
