"""The stand-in ERPNext over a restart: what was added to a doctype is still there."""

from pathlib import Path

from agencystack.sandbox.erpnext import ErpNextStandIn


def test_fields_that_were_added_outlive_a_restart(tmp_path: Path) -> None:
    def has_field(site: ErpNextStandIn) -> bool:
        return site.work().meta("Contact").field("custom_size") is not None

    site = ErpNextStandIn(tmp_path / "site", company="Acme")
    assert not has_field(site)
    work = site.work()
    site.documents.plant(
        work, "Custom Field", "Contact-custom_size", {"dt": "Contact", "fieldname": "custom_size", "fieldtype": "Data"}
    )
    work.transaction.commit()
    assert has_field(site)
    assert has_field(ErpNextStandIn(tmp_path / "site", company="Acme"))
