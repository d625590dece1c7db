"""How a WordPress is, as it tells whoever asks over HTTP: through our plugin, else by answering at all."""

from __future__ import annotations

from agencystack.components.health import Endpoint, Health, Word, body_of
from agencystack.stack.secrets import Secret

# With pretty permalinks there is /wp-json/ too; this form works on every site, and page caches leave it alone.
ROOT = "/?rest_route=/"
HEALTH = f"{ROOT}agencystack/v1/health"
LOGIN = "/wp-login.php"


def health(site: Endpoint, token: Secret | None = None) -> Health:
    """Return how the site is.

    Args:
        site: its address.
        token: for the details; without it, or with another one, the answer has none.

    Raises:
        Unavailable: it does not answer, or its answer says that it does not work: no database, in maintenance.
        BadAnswer: our plugin answers in a form that is not known.
    """
    answer = site.get(HEALTH, token)
    told = site.said(answer)
    if told is not None:
        return told
    if answer.status_code >= 500:
        raise site.down(answer)
    return _ping(site)


def _ping(site: Endpoint) -> Health:
    """Return how a site without our plugin is: its REST interface answers, or where that is closed its login page."""
    answer = site.get(ROOT)
    data = body_of(answer)
    if answer.is_success and isinstance(data, dict) and "namespaces" in data:
        return Health(Word.OK, by=ROOT)
    page = site.get(LOGIN)
    if page.is_success and "loginform" in page.text:
        return Health(Word.OK, by=LOGIN)
    raise site.down(page)
