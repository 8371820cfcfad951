"""The database backend: django-tenants' with one round trip less in every request."""
