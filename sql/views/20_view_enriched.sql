-- Views, role <% owner_role %>: Snowplow's events with the types and columns that its own loaders give them.
-- On top of the raw table, which stays text: a value that is not of its type is NULL here; no query fails.
--   whole numbers, 0/1, times: as Snowplow's loaders read them, whatever formats the session has set
--   contexts_…:       the entities of a schema, from the tracker and from enrichments; NULL for none
--   unstruct_event_…: the self-describing event of a schema
--   load_tstamp:      when the row was loaded, UTC
--   _loaded_at:       the same, of a type that Snowflake's metric FRESHNESS takes
-- OR REPLACE is the only way to change a view's text; COPY GRANTS keeps who may read it. It holds no data.
-- Needs: the table (step 4). A second run makes the same view.
USE ROLE <% owner_role %>;

CREATE OR REPLACE VIEW <% view %>
COPY GRANTS
COMMENT = <% view_comment %>
AS
SELECT
  app_id,
  platform,
  COALESCE(
    TRY_TO_TIMESTAMP_NTZ(etl_tstamp, 'YYYY-MM-DD HH24:MI:SS.FF'),
    TRY_TO_TIMESTAMP_NTZ(etl_tstamp, 'YYYY-MM-DD HH24:MI:SS')
  ) AS etl_tstamp,
  COALESCE(
    TRY_TO_TIMESTAMP_NTZ(collector_tstamp, 'YYYY-MM-DD HH24:MI:SS.FF'),
    TRY_TO_TIMESTAMP_NTZ(collector_tstamp, 'YYYY-MM-DD HH24:MI:SS')
  ) AS collector_tstamp,
  COALESCE(
    TRY_TO_TIMESTAMP_NTZ(dvce_created_tstamp, 'YYYY-MM-DD HH24:MI:SS.FF'),
    TRY_TO_TIMESTAMP_NTZ(dvce_created_tstamp, 'YYYY-MM-DD HH24:MI:SS')
  ) AS dvce_created_tstamp,
  event,
  event_id,
  TRY_TO_NUMBER(REGEXP_SUBSTR(txn_id, '^[+-]?[0-9]+$'), 38, 0) AS txn_id,
  name_tracker,
  v_tracker,
  v_collector,
  v_etl,
  user_id,
  user_ipaddress,
  user_fingerprint,
  domain_userid,
  TRY_TO_NUMBER(REGEXP_SUBSTR(domain_sessionidx, '^[+-]?[0-9]+$'), 38, 0) AS domain_sessionidx,
  network_userid,
  geo_country,
  geo_region,
  geo_city,
  geo_zipcode,
  TRY_TO_DOUBLE(geo_latitude) AS geo_latitude,
  TRY_TO_DOUBLE(geo_longitude) AS geo_longitude,
  geo_region_name,
  ip_isp,
  ip_organization,
  ip_domain,
  ip_netspeed,
  page_url,
  page_title,
  page_referrer,
  page_urlscheme,
  page_urlhost,
  TRY_TO_NUMBER(REGEXP_SUBSTR(page_urlport, '^[+-]?[0-9]+$'), 38, 0) AS page_urlport,
  page_urlpath,
  page_urlquery,
  page_urlfragment,
  refr_urlscheme,
  refr_urlhost,
  TRY_TO_NUMBER(REGEXP_SUBSTR(refr_urlport, '^[+-]?[0-9]+$'), 38, 0) AS refr_urlport,
  refr_urlpath,
  refr_urlquery,
  refr_urlfragment,
  refr_medium,
  refr_source,
  refr_term,
  mkt_medium,
  mkt_source,
  mkt_term,
  mkt_content,
  mkt_campaign,
  se_category,
  se_action,
  se_label,
  se_property,
  TRY_TO_DOUBLE(se_value) AS se_value,
  tr_orderid,
  tr_affiliation,
  TRY_TO_NUMBER(tr_total, 18, 2) AS tr_total,
  TRY_TO_NUMBER(tr_tax, 18, 2) AS tr_tax,
  TRY_TO_NUMBER(tr_shipping, 18, 2) AS tr_shipping,
  tr_city,
  tr_state,
  tr_country,
  ti_orderid,
  ti_sku,
  ti_name,
  ti_category,
  TRY_TO_NUMBER(ti_price, 18, 2) AS ti_price,
  TRY_TO_NUMBER(REGEXP_SUBSTR(ti_quantity, '^[+-]?[0-9]+$'), 38, 0) AS ti_quantity,
  TRY_TO_NUMBER(REGEXP_SUBSTR(pp_xoffset_min, '^[+-]?[0-9]+$'), 38, 0) AS pp_xoffset_min,
  TRY_TO_NUMBER(REGEXP_SUBSTR(pp_xoffset_max, '^[+-]?[0-9]+$'), 38, 0) AS pp_xoffset_max,
  TRY_TO_NUMBER(REGEXP_SUBSTR(pp_yoffset_min, '^[+-]?[0-9]+$'), 38, 0) AS pp_yoffset_min,
  TRY_TO_NUMBER(REGEXP_SUBSTR(pp_yoffset_max, '^[+-]?[0-9]+$'), 38, 0) AS pp_yoffset_max,
  useragent,
  br_name,
  br_family,
  br_version,
  br_type,
  br_renderengine,
  br_lang,
  CASE br_features_pdf WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_pdf,
  CASE br_features_flash WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_flash,
  CASE br_features_java WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_java,
  CASE br_features_director WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_director,
  CASE br_features_quicktime WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_quicktime,
  CASE br_features_realplayer WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_realplayer,
  CASE br_features_windowsmedia WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_windowsmedia,
  CASE br_features_gears WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_gears,
  CASE br_features_silverlight WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_features_silverlight,
  CASE br_cookies WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS br_cookies,
  br_colordepth,
  TRY_TO_NUMBER(REGEXP_SUBSTR(br_viewwidth, '^[+-]?[0-9]+$'), 38, 0) AS br_viewwidth,
  TRY_TO_NUMBER(REGEXP_SUBSTR(br_viewheight, '^[+-]?[0-9]+$'), 38, 0) AS br_viewheight,
  os_name,
  os_family,
  os_manufacturer,
  os_timezone,
  dvce_type,
  CASE dvce_ismobile WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS dvce_ismobile,
  TRY_TO_NUMBER(REGEXP_SUBSTR(dvce_screenwidth, '^[+-]?[0-9]+$'), 38, 0) AS dvce_screenwidth,
  TRY_TO_NUMBER(REGEXP_SUBSTR(dvce_screenheight, '^[+-]?[0-9]+$'), 38, 0) AS dvce_screenheight,
  doc_charset,
  TRY_TO_NUMBER(REGEXP_SUBSTR(doc_width, '^[+-]?[0-9]+$'), 38, 0) AS doc_width,
  TRY_TO_NUMBER(REGEXP_SUBSTR(doc_height, '^[+-]?[0-9]+$'), 38, 0) AS doc_height,
  tr_currency,
  TRY_TO_NUMBER(tr_total_base, 18, 2) AS tr_total_base,
  TRY_TO_NUMBER(tr_tax_base, 18, 2) AS tr_tax_base,
  TRY_TO_NUMBER(tr_shipping_base, 18, 2) AS tr_shipping_base,
  ti_currency,
  TRY_TO_NUMBER(ti_price_base, 18, 2) AS ti_price_base,
  base_currency,
  geo_timezone,
  mkt_clickid,
  mkt_network,
  etl_tags,
  COALESCE(
    TRY_TO_TIMESTAMP_NTZ(dvce_sent_tstamp, 'YYYY-MM-DD HH24:MI:SS.FF'),
    TRY_TO_TIMESTAMP_NTZ(dvce_sent_tstamp, 'YYYY-MM-DD HH24:MI:SS')
  ) AS dvce_sent_tstamp,
  refr_domain_userid,
  COALESCE(
    TRY_TO_TIMESTAMP_NTZ(refr_dvce_tstamp, 'YYYY-MM-DD HH24:MI:SS.FF'),
    TRY_TO_TIMESTAMP_NTZ(refr_dvce_tstamp, 'YYYY-MM-DD HH24:MI:SS')
  ) AS refr_dvce_tstamp,
  domain_sessionid,
  COALESCE(
    TRY_TO_TIMESTAMP_NTZ(derived_tstamp, 'YYYY-MM-DD HH24:MI:SS.FF'),
    TRY_TO_TIMESTAMP_NTZ(derived_tstamp, 'YYYY-MM-DD HH24:MI:SS')
  ) AS derived_tstamp,
  event_vendor,
  event_name,
  event_format,
  event_version,
  event_fingerprint,
  COALESCE(
    TRY_TO_TIMESTAMP_NTZ(true_tstamp, 'YYYY-MM-DD HH24:MI:SS.FF'),
    TRY_TO_TIMESTAMP_NTZ(true_tstamp, 'YYYY-MM-DD HH24:MI:SS')
  ) AS true_tstamp,
  _loaded_at AS load_tstamp,
  <% schema_columns %>
  _file,
  _file_row,
  TO_TIMESTAMP_LTZ(DATE_PART(EPOCH_MICROSECOND, _loaded_at), 6) AS _loaded_at
FROM (
  SELECT
    *,
    AS_OBJECT(TRY_PARSE_JSON(unstruct_event, 'd'):data) AS _event,
    ARRAY_CAT(
      COALESCE(AS_ARRAY(TRY_PARSE_JSON(contexts, 'd'):data), ARRAY_CONSTRUCT()),
      COALESCE(AS_ARRAY(TRY_PARSE_JSON(derived_contexts, 'd'):data), ARRAY_CONSTRUCT())
    ) AS _entities
  FROM <% table %>
) AS raw;
