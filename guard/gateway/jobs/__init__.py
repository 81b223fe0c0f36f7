"""Work that is answered later, or at most once: a table that all processes share."""
