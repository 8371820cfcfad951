"""Reports that people ask the portal for: queued, made by the worker, kept. Only this part knows the database."""
