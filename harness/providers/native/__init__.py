"""The own formats of services that are declared with OpenAI's: Gemini, Ollama."""
