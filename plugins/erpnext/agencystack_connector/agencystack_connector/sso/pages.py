"""What a person sees whose login is refused."""

from __future__ import annotations

import frappe
from frappe import _
from frappe.utils import escape_html

from agencystack_connector.sso.refusals import LoginRefused


def refusal(refused: LoginRefused) -> None:
	"""Answer with the page of a refusal; ``data-refusal`` holds its code."""
	frappe.logger("agencystack_connector").warning(f"login refused: {refused.code}")
	frappe.respond_as_web_page(
		_("Login refused"),
		f'<p data-refusal="{escape_html(refused.code)}">{escape_html(_(refused.says))}</p>',
		http_status_code=refused.status,
		primary_action="/login",
		primary_label=_("Back to login"),
	)
