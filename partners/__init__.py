"""Partners (customers, the tenants) and their host names: opening, closing, suspending, and host -> tenant."""
