"""Bringing a changed COPY statement live, without losing or repeating a row.

Snowflake changes no pipe's COPY; it replaces the pipe, which forgets what it loaded, what waits for it,
its grants and its parameters. The documented procedure (pause, wait for an empty queue, replace, grant,
refresh by time) leaves open what arrives in between and what the queue never emptied of. Here the listing,
the table's own file names and the histories say afterwards which files are missing, and those are loaded
by name:

1. pause the pipe, with a note of everything it will lose in its comment, in one statement;
2. wait until no load is under way;
3. replace it; the note comes along in the new pipe's comment;
4. give back parameters and grants; correct the bucket's rule when the queue is another one;
5. load what waited in the old queue: by REFRESH under prefixes that take nothing else;
6. put the comment back, which ends it.

The note is what makes it safe to be cut off anywhere: whoever runs it again, from whichever machine,
reads there what is left to do.

Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage
"""
