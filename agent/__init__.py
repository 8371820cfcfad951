"""The agent: measures a Linux server from /proc and /sys, spools the samples durably and uploads them exactly once."""

__version__ = "0.1.0"
