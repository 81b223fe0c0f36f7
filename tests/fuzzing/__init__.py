"""Fuzzing of the readers of credentials.

    make fuzz                         # or: python -m tests.fuzzing --seconds 600

With atheris (pip install 'wardmark[fuzz]') the readers' own branches guide what is tried; without,
a seeded mutation of the attack corpus does. Nothing is imported here: atheris must come first.
"""
