"""The checks: each a pytest function whose name is the claim and whose docstring is the remedy.

They see facts, never steps or plans: a wrong plan must not excuse itself.
"""
