"""docs/log-formats.md says what the formats and their samples are."""

from agencystack.logs import catalogue
from agencystack.logs.masking import KEY_WORDS, KEYS, WHOLE_KEYS
from agencystack.logs.model import EVENTS, LABELS, LEVELS, MAX_BYTES, MAX_LINES, METADATA
from tests.logs import table


def test_the_table_is_current() -> None:
    assert table.PAGE.read_text("utf-8") == table.page(), "run: python -m tests.logs.table"


def test_every_format_has_a_row_and_no_recorded_line_is_unparsed() -> None:
    rows = [row.strip("| ").split(" | ") for row in table.table().splitlines()[2:]]
    assert len(rows) == len(catalogue.all_formats())
    assert {row[4] for row in rows} <= {"0", "-"}


def test_the_page_names_what_the_code_has() -> None:
    text = table.PAGE.read_text("utf-8")
    words = (*LABELS, *LEVELS, *EVENTS, *METADATA, *KEYS, *KEY_WORDS, *WHOLE_KEYS)
    assert [word for word in words if f"`{word}`" not in text and f'`{word}="' not in text] == []
    assert f"{MAX_LINES} lines" in text
    assert f"{MAX_BYTES:,}".replace(",", " ") in text
