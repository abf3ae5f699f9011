"""The AWS side: a gateway in front of moto that authorises, validates, logs and delivers as AWS does.

moto keeps the state (buckets, objects, roles, policies, queues); what it leaves out or gets wrong is
here. The order of a request is :mod:`snowpipe_sandbox.aws.gateway`'s, and reads as its contents page.
"""
