"""Single sign-on: every application lets people in through Keycloak, with the roles of their groups."""
