"""The routes: read with a service, show with a view."""
