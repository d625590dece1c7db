"""The same rules for Promtail: its names of the stages, one for one with Alloy's, as data that YAML can hold."""

import io
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from agencystack.logs import alloy, catalogue, promtail
from agencystack.logs.model import Format, Wrapping

NAMES = {"label_keep": "labelallow", "label_drop": "labeldrop"}
FORMATS = catalogue.all_formats().values()


@pytest.mark.parametrize("log", FORMATS, ids=lambda log: f"{log.component}/{log.stream}")
def test_promtail_s_stages_are_alloy_s(log: Format) -> None:
    text = alloy.process("a", log.component, log.stream, "acme", forward_to="x", zone="Europe/Berlin")
    order = [NAMES.get(name, name) for name in re.findall(r"^\t+stage\.(\w+)", text, re.MULTILINE)]
    assert list(_names(promtail.pipeline(log.component, log.stream, "acme", zone="Europe/Berlin"))) == order


def _names(stages: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for stage in stages:
        ((name, settings),) = stage.items()
        found += [name, *(_names(settings["stages"]) if name == "match" else ())]
    return found


def test_the_settings_are_those_promtail_takes() -> None:
    stages = promtail.pipeline("wordpress", "access", "acme", zone="Europe/Berlin", wrapping=Wrapping.DOCKER)
    assert stages[0] == {"docker": {}}
    assert {"labels": {"level": "level"}} in stages
    assert stages[-1] == {"labelallow": ["client", "component", "stream", "level"]}
    timestamp = next(stage["timestamp"] for stage in stages if "timestamp" in stage)
    assert timestamp == {
        "source": "time",
        "format": "02/Jan/2006:15:04:05 -0700",
        "location": "Europe/Berlin",
        "action_on_failure": "fudge",
    }


def test_they_are_plain_data_that_yaml_gives_back() -> None:
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.width = 10**6  # the C writer of typ="safe" folds long expressions and breaks them
    stages = promtail.pipeline("wordpress", "access", "acme")
    yaml.dump(stages, text)
    assert yaml.load(text.getvalue()) == stages
