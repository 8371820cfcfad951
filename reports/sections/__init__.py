"""The sections of a report, a module each; a section turns a machine into blocks of the document."""
