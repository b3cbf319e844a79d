"""What becomes of a message before it is stored: a list of words, and a hook."""
