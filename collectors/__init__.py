"""Registered machines of one tenant, their API keys, and the enrolment tokens that add one."""
