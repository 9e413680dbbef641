"""The engine on this machine: transformers, bitsandbytes and accelerate. The only place that imports torch, and only in
the engine's own thread: importing this package imports none of them."""

from core.local.engine import LocalEngine
from core.local.options import LocalOptions

__all__ = ["LocalEngine", "LocalOptions"]
