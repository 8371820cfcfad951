"""The REST edge: authentication, limits, upload, export, series, collectors. No domain logic."""
