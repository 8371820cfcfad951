"""One module per kernel file. `read` takes a root folder, `parse` takes text; both know nothing of samples or rates."""
