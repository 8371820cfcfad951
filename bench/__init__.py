"""Measurements that anyone can run: each prints our figure, the limit or a peer from the same run, and the ratio."""
