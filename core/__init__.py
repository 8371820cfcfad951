"""Settings, URL confs, the metric catalogue, the CSV batch format, the error body, the embedded database."""
