"""The grammar of what is not plain SQL: Snowpipe's objects, grants, SHOW and DESC.

sqlglot gives up on these statements (it returns them as opaque commands), and a sandbox must refuse what
it does not understand; so they have a small tokenizer and recursive-descent parsers of their own.
"""
