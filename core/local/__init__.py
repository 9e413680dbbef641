"""The engine on this machine: transformers, bitsandbytes and accelerate. The only place that imports torch."""
