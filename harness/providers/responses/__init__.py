"""OpenAI's Responses format, which other services offer too."""
