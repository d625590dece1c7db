"""Where a person may be sent after login: only to this site."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Browsers read a backslash as a slash and skip control characters and spaces, so "/\evil.example" leaves the site.
_TRICKY = re.compile(r"[\\\x00-\x20\x7f]")


def on_this_site(target: str | None, host: str) -> str:
	"""Return path, query and fragment of ``target`` if it is on this site, else nothing.

	Args:
		target: a path or an address; given by anybody.
		host: of this request, with the port.
	"""
	if not target or target.startswith("//") or _TRICKY.search(target):
		return ""
	try:
		parts = urlsplit(target)
	except ValueError:
		return ""
	if (parts.scheme or parts.netloc) and (parts.scheme not in {"http", "https"} or parts.netloc != host):
		return ""
	if not parts.path.startswith("/") or parts.path.startswith("//"):
		return ""
	query, fragment = f"?{parts.query}" if parts.query else "", f"#{parts.fragment}" if parts.fragment else ""
	return f"{parts.path}{query}{fragment}"
