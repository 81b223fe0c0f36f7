"""May this pass? Assessors, generation cores, the pipeline and the command line."""
