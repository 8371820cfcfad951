"""Users and roles of one tenant, and its audit log. Lives in tenant schemas only."""
