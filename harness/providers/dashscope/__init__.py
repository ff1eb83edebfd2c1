"""Alibaba DashScope (Qwen, Wan): endpoints, SDK session, rules, sandbox."""
