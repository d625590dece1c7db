"""What ERPNext says in German: it answers a credential in the language its caller accepts, else in the site's."""

from __future__ import annotations

import json
import re
from typing import Any

# Sentences and titles of frappe/locale/de.po, as tests/contract/recordings/erpnext/language.json has them.
_GERMAN = (
    (
        "Password is required or select Awaiting Password",
        "Das Passwort ist erforderlich, oder wählen Sie Warten Passwort",
    ),
    ("Invalid Outgoing Mail Server or Port:", "Ungültiger Postausgang Server oder Port:"),
    ("Please check your email login credentials.", "Bitte überprüfen Sie Ihre E-Mail-Anmeldedaten."),
    ("Error connecting via IMAP/POP3:", "Fehler beim Verbinden über IMAP/POP3:"),
    ("Error connecting via SMTP:", "Fehler beim Verbinden über SMTP:"),
    (r"Error has occurred in (.+)", r"In \1 ist ein Fehler aufgetreten"),
    (r"\bEmail Account (.+) not found", r"E-Mail-Konto \1 nicht gefunden"),
    (r"(.+) not found", r"\1 nicht gefunden"),
    ("^Message$", "Nachricht"),
    ("^Incorrect Configuration$", "Falsche Konfiguration"),
    ("^Invalid Credentials$", "Ungültige Anmeldeinformationen"),
    ("^Outgoing email account not correct$", "Ausgehendes E-Mail-Konto nicht korrekt"),
)


def said_in(language: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a refusal in a language; whatever is neither known nor German stays English."""
    if not language.startswith("de"):
        return body
    spoken = dict(body)
    if "exception" in body:
        spoken["exception"] = _german(body["exception"])
    if "_server_messages" in body:
        messages = [json.loads(one) for one in json.loads(body["_server_messages"])]
        spoken["_server_messages"] = json.dumps([json.dumps(_message(one)) for one in messages])
    return spoken


def _message(message: dict[str, Any]) -> dict[str, Any]:
    return {key: _german(text) if key in {"message", "title"} else text for key, text in message.items()}


def _german(text: Any) -> Any:
    if isinstance(text, str):
        for english, german in _GERMAN:
            text = re.sub(english, german, text)
    return text
