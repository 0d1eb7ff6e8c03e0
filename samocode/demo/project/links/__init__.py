from links.slug import slugify

__all__ = ["slugify"]
