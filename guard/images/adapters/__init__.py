"""Guards of pictures that a deployment brings along, behind the same port."""

from guard.images.adapters.settings import image_guards_of

__all__ = ["image_guards_of"]
