"""Where pictures come from. Every kind of source fits the same two Protocols."""

from datasets_audit.sources.source import Batch, Source, Stray, Taken, open_source

__all__ = ["Batch", "Source", "Stray", "Taken", "open_source"]
