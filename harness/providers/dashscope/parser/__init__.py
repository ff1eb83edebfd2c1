"""DashScope's official SDK, in its two generations."""
