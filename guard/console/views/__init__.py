"""What pages show: plain functions that return frozen values. Nothing here knows of HTTP."""
