"""The text for Alloy: exact for one of each stage, and escapes that survive being read again."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agencystack.logs import alloy, catalogue, pipeline, templates
from agencystack.logs.model import (
    Case,
    Choose,
    CopyIfAny,
    Format,
    Json,
    Logfmt,
    Multiline,
    Put,
    PutUnlessAny,
    Regex,
    Replace,
    Timestamp,
    When,
    Wrapping,
)

FORMAT = Format(
    component="any",
    stream="log",
    about="",
    stages=(
        Regex(r'^"(?P<time>\S+)" `'),
        Regex(r"^\d", source="time"),
        Json((("reason", "error.message"), ("user", "user-name")), source="time"),
        Logfmt((("reason", "msg"),)),
        Timestamp("time", "2006-01-02", ("RFC3339",)),
        Choose("level", "word", (Case(("a", "b"), "error"),), otherwise="info"),
        When(r'a"\d', (Put("event", "exception"),)),
    ),
    known_by=("time",),
    metadata=("reason",),
    multiline=Multiline(r"^\S"),
    masks=(Replace("x(y)", "z"),),
)


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(catalogue, "find", lambda component, stream: FORMAT)
    return alloy.process("a_b", "any", "log", "acme", forward_to="loki.write.x.receiver", zone="Europe/Berlin")


OWN = r"""	stage.regex {
		expression = "^\"(?P<time>\\S+)\" `"
	}

	stage.regex {
		source     = "time"
		expression = `^\d`
	}

	stage.json {
		source      = "time"
		expressions = {
			reason = "error.message",
			user   = `"user-name"`,
		}
	}

	stage.logfmt {
		mapping = {
			reason = "msg",
		}
	}

	stage.timestamp {
		source            = "time"
		format            = "2006-01-02"
		fallback_formats  = ["RFC3339"]
		location          = "Europe/Berlin"
		action_on_failure = "fudge"
	}

	stage.template {
		source   = "level"
		template = `{{ with .word }}{{ if eq . "a" "b" }}error{{ else }}info{{ end }}{{ else }}info{{ end }}`
	}

	stage.match {
		selector = `{agencystack=""} |~ "a\"\\d"`

		stage.template {
			source   = "event"
			template = "exception"
		}
	}
"""


def test_the_stages_are_written_as_alloy_s_own_formatter_writes_them(text: str) -> None:
    assert text.startswith('loki.process "a_b" {\n\tforward_to = [loki.write.x.receiver]\n\n\tstage.multiline {\n')
    assert OWN in text
    assert '\t\tmax_lines     = 1000\n\t\tmax_wait_time = "3s"\n' in text
    assert text.endswith('\t\tvalues = ["client", "component", "stream", "level"]\n\t}\n}\n')


def test_joining_comes_first_then_masking_then_the_format_s_own_and_labels_last(text: str) -> None:
    order = re.findall(r"^\tstage\.(\w+)", text, re.MULTILINE)
    assert order[0] == "multiline"
    assert order.index("replace") < order.index("regex") < order.index("structured_metadata")
    assert order[-3:] == ["static_labels", "labels", "label_keep"]


def test_static_labels_name_whose_log_it_is(text: str) -> None:
    wanted = ['client    = "acme"', 'component = "any"', 'stream    = "log"', 'level     = "info"']
    assert "static_labels {\n\t\tvalues = {\n\t\t\t" + ",\n\t\t\t".join(wanted) in text


@pytest.mark.parametrize(("wrapping", "first"), [(Wrapping.DOCKER, "docker"), (Wrapping.CRI, "cri")])
def test_what_a_runtime_put_round_a_line_goes_first(wrapping: Wrapping, first: str) -> None:
    text = alloy.process("a", "wordpress", "access", "acme", forward_to="x", wrapping=wrapping)
    assert f"\tforward_to = [x]\n\n\tstage.{first} {{ }}\n" in text


@pytest.mark.parametrize("label", ["", "a-b", "1a", "a b", 'a"', "ä"])
def test_a_label_alloy_would_refuse_is_refused_here(label: str) -> None:
    with pytest.raises(ValueError, match="no Alloy identifier"):
        alloy.process(label, "wordpress", "access", "acme", forward_to="x")


def test_an_identifier_can_be_made_of_any_names() -> None:
    assert alloy.identifier("acme-eu", "mailu", "1") == "agencystack_acme_eu_mailu_1"
    assert re.fullmatch(r"[A-Za-z_]\w*", alloy.identifier("0", "ä"))


@given(st.text())
def test_any_text_can_be_written_and_read_again(text: str) -> None:
    written = alloy.string(text)
    if written.startswith("`"):
        assert written == f"`{text}`"
        assert not re.search(r"[`\n\r]", text)
    else:
        assert json.loads(written) == text


def test_an_unknown_stream_is_written_too_and_marks_what_it_sends() -> None:
    text = alloy.process("a", "other", "what", "acme", forward_to="x")
    assert 'source   = "parsed"\n\t\ttemplate = "false"' in text


@pytest.mark.parametrize(
    ("stage", "template"),
    [
        (Choose("t", "s", (), otherwise="d", keep=True), "{{ if $.t }}{{ $.t }}{{ else }}d{{ end }}"),
        (
            Choose("t", "s", (Case(("a",), "x"),), keep=True, otherwise="d", fold=True),
            '{{ with .s }}{{ $v := ToLower . }}{{ if eq $v "a" }}x'
            "{{ else }}{{ if $.t }}{{ $.t }}{{ else }}d{{ end }}{{ end }}"
            "{{ else }}{{ if $.t }}{{ $.t }}{{ else }}d{{ end }}{{ end }}",
        ),
        (
            Choose("t", "s", (Case(("a", "b"), "x", prefix=True),)),
            '{{ with .s }}{{ if or (hasPrefix "a" .) (hasPrefix "b" .) }}x{{ else }}{{ end }}{{ else }}{{ end }}',
        ),
        (PutUnlessAny("t", "v", ("a", "b")), "{{ if or .a .b }}{{ else }}v{{ end }}"),
        (
            CopyIfAny("t", ("a", "b")),
            '{{ $line := ToLower .Entry | replace " =" "=" | replace " :" ":" }}'
            '{{ if or (contains "a" $line) (contains "b" $line) }}{{ .Entry }}{{ end }}',
        ),
        (
            CopyIfAny("t", ("a",), (" ", ".")),
            '{{ $line := ToLower .Entry | replace " =" "=" | replace " :" ":" }}'
            '{{ if or (and (contains "a" $line) (contains "a" ($line | replace "a " "" | replace "a." ""))) }}'
            "{{ .Entry }}{{ end }}",
        ),
        (
            CopyIfAny("t", ("a",), aside=('"a"',)),
            '{{ $line := ToLower .Entry | replace " =" "=" | replace " :" ":" | replace "\\"a\\"" " " }}'
            '{{ if or (contains "a" $line) }}{{ .Entry }}{{ end }}',
        ),
    ],
)
def test_templates(stage: templates.Template, template: str) -> None:
    assert templates.template(stage) == ("t", template)


@pytest.mark.parametrize("log", catalogue.all_formats().values(), ids=lambda log: f"{log.component}/{log.stream}")
def test_every_stage_of_every_format_can_be_written(log: Format) -> None:
    text = alloy.process("a", log.component, log.stream, "acme", forward_to="x", zone="Europe/Berlin")
    top = [line for line in text.splitlines() if line.startswith("\tstage.")]
    assert len(top) == len(pipeline.stages(log, "acme"))
    assert text.count("{{") == text.count("}}")
