"""The OpenAI chat form that several services share."""
