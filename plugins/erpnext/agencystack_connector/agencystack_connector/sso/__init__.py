"""Single sign-on through the Social Login Key ``keycloak``, checked, and with the roles the identity provider says.

``token``, ``claims``, ``attempt``, ``redirects`` and ``provider`` import nothing of Frappe; the others are thin around
them.
"""
