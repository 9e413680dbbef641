"""The async lock round the one GPU: who is next, how many are before you, how long that takes."""
