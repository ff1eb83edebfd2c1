"""Zhipu (BigModel, Z.ai): endpoints, SDK session, rules, sandbox."""
