"""Everything that is true without a platform: the gate, the store, the chat and the engine behind it."""
