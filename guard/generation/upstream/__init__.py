"""Cores behind an address: an OpenAI-compatible API, AUTOMATIC1111, ComfyUI.

What such a service refuses by its own rules is UpstreamRefused, an outage is CoreUnavailable, an
answer that is no picture is CoreFailed: none of the three is a decision of ours.
"""
