"""The browser edge: pages of a tenant, their forms and addresses. No domain logic."""
