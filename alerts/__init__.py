"""Rules over what was measured, what is wrong now, and what people must be told."""
