"""Changing a dotenv file: what is read, what is written, and that every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agencystack.components import envfile

SAMPLE = """\
# Mail
# SMTP_ADDRESS=
export SMTP_PORT=25   # our old relay

MAILER_SENDER_EMAIL="Acme <old@acme.example>"
SMTP_DOMAIN: acme.example
KEY="first
second"
SMTP_PORT = '587' # counts
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("K=plain", "plain"),
        ("K =  spaced  ", "spaced"),
        ("K: yaml", "yaml"),
        ("export K=exported", "exported"),
        ("K=a#comment", "a"),
        ("K='a # b'  # c", "a # b"),
        ('K="a\\"b"', 'a"b'),
        ("K='a\\b'", "a\\b"),
        ("K=a\\ b", "a b"),
        ('K="a\\nb"', "a\\nb"),
        ('K="a\r\nb"', "a\nb"),
        ("K=1\nK=2", "2"),
        ("A=x\nK=$A-${A}", "x-x"),
        ("A=x\nK='$A'", "$A"),
        ('A=x\nK="\\$A"', "$A"),
        ("K=$MISSING.", "."),
        ("K=", ""),
        ("K= # nothing", ""),
        ('K="a" b', '"a" b'),
        ("K=a=b:c", "a=b:c"),
        ('K="unterminated', '"unterminated'),
    ],
)
def test_reads_what_dotenv_reads(text: str, value: str) -> None:
    assert envfile.parse(text)["K"] == value


@pytest.mark.parametrize("text", ["# K=1", "K", "not an assignment", "", "export K"])
def test_what_is_no_assignment_is_none(text: str) -> None:
    assert envfile.parse(text) == {}


def test_changes_the_line_that_counts_and_nothing_else() -> None:
    changed = envfile.set(SAMPLE, {"SMTP_PORT": "465"})
    assert changed == SAMPLE.replace("SMTP_PORT = '587' # counts", "SMTP_PORT = 465 # counts")


def test_a_commented_out_key_stays_and_the_new_one_is_appended() -> None:
    assert envfile.set(SAMPLE, {"SMTP_ADDRESS": "mail.acme.example"}) == SAMPLE + "SMTP_ADDRESS=mail.acme.example\n"


def test_removing_takes_every_line_of_the_key() -> None:
    assert "SMTP_PORT" not in envfile.parse(envfile.set(SAMPLE, {"SMTP_PORT": None}))


def test_a_multi_line_value_is_replaced_whole() -> None:
    assert envfile.set(SAMPLE, {"KEY": "x"}) == SAMPLE.replace('"first\nsecond"', "x")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("plain", "K=plain"),
        ("", "K="),
        ("Acme News <n@acme.example>", "K='Acme News <n@acme.example>'"),
        ("pa$$word#1", "K='pa$$word#1'"),
        ('say "hi" \\o/', "K='say \"hi\" \\o/'"),
        ("Joe's # shop", 'K="Joe\'s # shop"'),
    ],
)
def test_quotes_as_both_readers_need(value: str, line: str) -> None:
    assert envfile.set("", {"K": value}) == line + "\n"


@pytest.mark.parametrize("value", ['it\'s "x"', "it's $5", "it's \\", "ends in \\", "a\nb", "a\rb", "a\0b"])
def test_refuses_what_only_one_reader_would_keep(value: str) -> None:
    with pytest.raises(envfile.UnwritableValue) as refused:
        envfile.set("", {"K": value})
    assert value not in str(refused.value)


@pytest.mark.parametrize("key", ["", "1K", "A-B", "A B", "A=B"])
def test_refuses_a_name_that_is_none(key: str) -> None:
    with pytest.raises(envfile.UnwritableValue):
        envfile.set("", {key: "x"})


def test_refuses_a_file_whose_open_quote_would_swallow_the_value() -> None:
    with pytest.raises(envfile.UnwritableValue, match="never closed"):
        envfile.set('A="open\n', {"K": "# Joe's"})


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_keeps_line_ends_and_a_missing_last_one(end: str) -> None:
    assert envfile.set(f"A=1{end}B=2", {"A": "3", "C": "4"}) == f"A=3{end}B=2{end}C=4"


def test_a_comment_right_behind_an_empty_value_stays_a_comment() -> None:
    changed = envfile.set("K= # why\n", {"K": "a"})
    assert changed == "K=a # why\n"
    assert envfile.parse(changed) == {"K": "a"}


def test_an_empty_value_before_a_comment_is_quoted() -> None:
    assert envfile.set("K=a # why\n", {"K": ""}) == "K='' # why\n"


def test_restore_leaves_what_a_person_changed_meanwhile() -> None:
    saved = envfile.lines_of(SAMPLE, ["SMTP_PORT", "SMTP_ADDRESS", "KEY"])
    ours = envfile.set(SAMPLE, {"SMTP_PORT": "465", "SMTP_ADDRESS": "mail", "KEY": None})
    theirs = ours.replace("# Mail\n", "# Mail, edited\nOTHER=1\n") + "LAST=1\n"
    assert envfile.restore(theirs, saved) == SAMPLE.replace("# Mail\n", "# Mail, edited\nOTHER=1\n") + "LAST=1\n"


def test_what_was_saved_survives_json() -> None:
    saved = envfile.lines_of(SAMPLE, ["SMTP_PORT"])
    assert envfile.SavedLines.model_validate_json(saved.model_dump_json()) == saved


KEYS = st.sampled_from(["A", "B", "SMTP_PORT", "NEW"])
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)
LINES = st.one_of(
    st.sampled_from(
        ["", "# a comment", "#A=1", "A", "A=", "export A=1", "B='x # y' # c", 'B="x\ny"', "A : 1", 'B="x', "\t"]
    ),
    st.builds("{}={}".format, KEYS, VALUES),
)
FILES = st.builds(
    lambda lines, end, last: end.join(lines) + last * end,
    st.lists(LINES),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
CHANGES = st.dictionaries(KEYS, st.one_of(st.none(), VALUES), min_size=1)


def _set_or_nothing(text: str, changes: dict[str, str | None]) -> str | None:
    try:
        return envfile.set(text, changes)
    except envfile.UnwritableValue:
        return None


@given(FILES, CHANGES)
@example("A=1", {"NEW": "1", "A": None})
def test_reads_back_what_was_set_and_leaves_other_keys(text: str, changes: dict[str, str | None]) -> None:
    changed = _set_or_nothing(text, changes)
    if changed is None:
        return
    before, after = envfile.parse(text), envfile.parse(changed)
    assert {key: after.get(key) for key in changes} == changes
    # A value that refers to a changed key changes with it, as it does in the application.
    if "$" not in text:
        assert {k: v for k, v in after.items() if k not in changes} == {
            k: v for k, v in before.items() if k not in changes
        }


@given(FILES, CHANGES)
@example("A=1", {"NEW": "1"})
@example("A=1\n\n\nB=2", {"B": None, "A": None, "NEW": "1"})
def test_set_then_restore_gives_the_same_bytes(text: str, changes: dict[str, str | None]) -> None:
    changed = _set_or_nothing(text, changes)
    if changed is not None:
        assert envfile.restore(changed, envfile.lines_of(text, changes)) == text


@given(FILES, CHANGES)
def test_setting_twice_changes_nothing_more(text: str, changes: dict[str, str | None]) -> None:
    changed = _set_or_nothing(text, changes)
    if changed is not None:
        assert envfile.set(changed, changes) == changed
