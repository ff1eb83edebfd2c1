"""What a project and its environment configure: settings, keys, prices."""
