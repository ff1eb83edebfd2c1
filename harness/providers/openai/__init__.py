"""OpenAI's chat format, which several services share, and OpenAI's SDK."""
