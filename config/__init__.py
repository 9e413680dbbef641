"""Settings, personas and the words of the interface."""
