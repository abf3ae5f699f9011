"""What is missing from a table, how it may be loaded, and loading it: each file once.

The documented advice, to run the pipe's COPY by hand, loads again every file the pipe has loaded:
pipe and table keep separate memories. Who remembers what, and the tool that asks whom:

======================  ====================  =============================================
tool                    asks                  is told
======================  ====================  =============================================
S3 event to the pipe    the pipe, 14 days     the pipe
ALTER PIPE REFRESH      the pipe, the table   the pipe
COPY INTO               the table, 64 days    the table
======================  ====================  =============================================

So a file whose S3 event may still come must never be loaded by COPY: the event would load it again.
Which tool loads a file depends on the file's age alone, so that two people at once use the same:

* younger than REFRESH's 7 days: REFRESH, with prefixes that cover what is wanted and nothing else;
* older, or dealt with by the pipe already (failed): COPY with FILES, the pipe's own statement;
* changed or partly loaded: its rows deleted and the file copied, in one transaction.

Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage
"""
