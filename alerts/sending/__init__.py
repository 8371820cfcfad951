"""Channels, and getting messages of the outbox to them: at least once, each with its idempotency id."""
