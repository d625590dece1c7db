"""One kind of record that is shared: which way AgencyStack set it, and what people here allow of that."""

from frappe.model.document import Document


class AgencyStackBridgeEntity(Document):
	"""A row of AgencyStack Bridge Settings."""
