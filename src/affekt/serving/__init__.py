"""The service: one model behind the HTTP interfaces that clients speak, and the page where people look.

Every route is a projection of two answers, probabilities and vectors, that `service.Service` gives.
"""
