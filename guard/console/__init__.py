"""The web pages of moderators, auditors and admins, under ``/console``.

Jinja and a vendored htmx; no build step, nothing from elsewhere, no inline script or style. A page
is a route that reads with a service and shows with a view; what is decided, recorded or published
is done by the services of ``guard``, ``policies`` and ``provenance``, as on the command line.
"""

from guard.console.app import install

__all__ = ["install"]
