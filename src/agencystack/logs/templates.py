"""The Go templates behind stages that set a value: each can yield only what the rule names."""

from __future__ import annotations

import json

from agencystack.logs.model import Case, Choose, CopyIfAny, Cut, Measure, Put, PutUnlessAny, Shorten

CUT = "agencystack_cut"
"""The extracted value that holds a shortened line."""

CUT_MARK = " [cut by agencystack]"
"""Stands at the end of a line that was shortened."""


Template = Choose | Put | PutUnlessAny | CopyIfAny | Measure | Shorten | Cut
"""The stages that are template stages of Alloy."""


def template(stage: Template) -> tuple[str, str]:
    """Return the extracted value a template stage sets, and its template; one that yields no text removes the value."""
    match stage:
        case Choose():
            return stage.target, _choose(stage)
        case Put():
            return stage.target, stage.value
        case PutUnlessAny(names=()):
            return stage.target, stage.value
        case PutUnlessAny():
            present = " ".join(f".{name}" for name in stage.names)
            return stage.target, f"{{{{ if or {present} }}}}{{{{ else }}}}{stage.value}{{{{ end }}}}"
        case CopyIfAny():
            aside = "".join(f' | replace {json.dumps(each)} " "' for each in stage.aside)
            found = " ".join(_found(word, stage.harmless) for word in stage.words)
            line = f'{{{{ $line := ToLower .Entry | replace " =" "=" | replace " :" ":"{aside} }}}}'
            return stage.target, f"{line}{{{{ if or {found} }}}}{{{{ .Entry }}}}{{{{ end }}}}"
        case Measure():
            return stage.target, f"{{{{ if gt (len .Entry) {stage.above} }}}}yes{{{{ end }}}}"
        case Shorten():
            return stage.name, f"{{{{ with .Value }}}}{{{{ trunc {stage.limit} . }}}}{{{{ end }}}}"
        case Cut():
            cut = f"{{{{ trunc {stage.limit} .Entry }}}}{CUT_MARK}"
            return CUT, f"{{{{ if gt (len .Entry) {stage.limit} }}}}{cut}{{{{ end }}}}"


def _found(word: str, harmless: tuple[str, ...]) -> str:
    """Return the test for a word; only where it is there at all, it is looked for again without the harmless ones."""
    test = f"contains {json.dumps(word)}"
    if not harmless:
        return f"({test} $line)"
    rest = "$line" + "".join(f' | replace {json.dumps(word + each)} ""' for each in harmless)
    return f"(and ({test} $line) ({test} ({rest})))"


def _choose(stage: Choose) -> str:
    """Without the source `with` takes its else branch: no function is ever called on nothing."""
    if not stage.cases:
        return _otherwise(stage)
    value = "$v" if stage.fold else "."
    fold = "{{ $v := ToLower . }}" if stage.fold else ""
    cases = "".join(
        f"{{{{ {'if' if not number else 'else if'} {_condition(case, value)} }}}}{case.result}"
        for number, case in enumerate(stage.cases)
    )
    otherwise = f"{{{{ else }}}}{_otherwise(stage)}{{{{ end }}}}"
    return f"{{{{ with .{stage.source} }}}}{fold}{cases}{otherwise}{otherwise}"


def _condition(case: Case, value: str) -> str:
    if not case.prefix:
        return f"eq {value} {' '.join(map(json.dumps, case.values))}"
    tests = [f"hasPrefix {json.dumps(beginning)} {value}" for beginning in case.values]
    return tests[0] if len(tests) == 1 else "or " + " ".join(f"({test})" for test in tests)


def _otherwise(stage: Choose) -> str:
    constant = stage.otherwise or ""
    kept = f"$.{stage.target}"
    return f"{{{{ if {kept} }}}}{{{{ {kept} }}}}{{{{ else }}}}{constant}{{{{ end }}}}" if stage.keep else constant
