-- Each event once, the earliest of its copies, kept as a table: what a query on the view converts anew each time.
{{ config(unique_key='event_id', on_schema_change='append_new_columns') }}

SELECT *
FROM {{ source('atomic', 'events') }}
{% if is_incremental() %}
  WHERE load_tstamp >= (SELECT DATEADD('hour', -6, MAX(load_tstamp)) FROM {{ this }})
{% endif %}
QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY collector_tstamp, etl_tstamp) = 1
