"""Writes credentials: boxes, the signature, and their place in each kind of file.

c2pa-python could write them too, but not as the specification asks (byte strings become text,
c2pa-rs issue 2689), not without 10 KB of padding behind a key service, and not with a time stamping
authority that may be down. docs/adr/0009 has the figures. c2pa-python reads every kind back in the
tests.
"""
