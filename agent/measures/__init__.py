"""Arithmetic: raw readings in, columns of the catalogue out. Pure functions; formulas are in docs/measuring.md."""
