"""A local stand-in for both clouds, as far as Snowpipe needs them: a process of its own, met only over HTTP.

:mod:`snowpipe_sandbox.process` starts, finds and stops it; the ordinary clients talk to it.
"""
