"""The one error of a login that must not be: a code for machines and words for the person."""

from __future__ import annotations

BAD_REQUEST, FORBIDDEN, BAD_GATEWAY = 400, 403, 502


class LoginRefused(Exception):
	"""A login is refused.

	Args:
		code: what for, such as ``no-roles``; stands in the page for proofs to find.
		says: what the person reads.
		status: of the page.
	"""

	def __init__(self, code: str, says: str, status: int = FORBIDDEN) -> None:
		super().__init__(f"{code}: {says}")
		self.code = code
		self.says = says
		self.status = status
