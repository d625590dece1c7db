"""Every recorded line becomes the entry written beside it."""

import pytest

from tests.logs.golden import Sample, samples

SAMPLES = list(samples())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_recorded_file_becomes_the_entries_written_beside_it(sample: Sample) -> None:
    assert sample.entries() == sample.expected()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_rule_knows_every_line_the_product_wrote(sample: Sample) -> None:
    assert [entry["line"] for entry in sample.entries() if not entry["parsed"]] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_stream_of_a_sample_has_a_format(sample: Sample) -> None:
    assert sample.format.known_by, f"no format of {sample.component}/{sample.stream}"
