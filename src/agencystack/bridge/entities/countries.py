"""ERPNext's own names of countries, which Addresses must use."""

from __future__ import annotations

from agencystack.bridge.normal import Countries
from agencystack.bridge.sides.erpnext.documents import Documents


def countries_of(documents: Documents) -> Countries:
    """Return ERPNext's names by ISO code, from its list of countries.

    Args:
        documents: the way to ERPNext's documents.
    """
    rows = documents.select("Country", [], ["name", "code"])
    return Countries({str(one["code"]).upper(): str(one["name"]) for one in rows if one.get("code")})
