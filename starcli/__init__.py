"""starcli: zero-shot skeleton action recognition."""

import os

# pydantic asks every installed distribution for plugins, and one malformed one would stop us all.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

__version__ = "0.1.0"
