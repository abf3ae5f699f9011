"""The 131 fields of an enriched event, in the order they stand on a line.

The one place of the sandbox that knows them. One event is one line: the values in this order, a tab
between them, a line feed after the last, nothing quoted, nothing escaped, an absent value empty
(https://docs.snowplow.io/docs/pipeline/enriched-tsv-format/; names as Enrich and all loaders spell
them, so field 122 is ``refr_dvce_tstamp``).
"""

from typing import Literal, NamedTuple

Kind = Literal["text", "timestamp", "integer", "decimal", "float", "flag", "json", "uuid"]
"""What a field's text stands for: ``flag`` is the character 0 or 1, ``timestamp`` is UTC without a zone."""


class Field(NamedTuple):
    """One field: its name and what its text stands for."""

    name: str
    kind: Kind


FIELDS: tuple[Field, ...] = (
    Field("app_id", "text"),
    Field("platform", "text"),
    Field("etl_tstamp", "timestamp"),
    Field("collector_tstamp", "timestamp"),
    Field("dvce_created_tstamp", "timestamp"),
    Field("event", "text"),
    Field("event_id", "uuid"),
    Field("txn_id", "integer"),
    Field("name_tracker", "text"),
    Field("v_tracker", "text"),
    Field("v_collector", "text"),
    Field("v_etl", "text"),
    Field("user_id", "text"),
    Field("user_ipaddress", "text"),
    Field("user_fingerprint", "text"),
    Field("domain_userid", "text"),
    Field("domain_sessionidx", "integer"),
    Field("network_userid", "text"),
    Field("geo_country", "text"),
    Field("geo_region", "text"),
    Field("geo_city", "text"),
    Field("geo_zipcode", "text"),
    Field("geo_latitude", "float"),
    Field("geo_longitude", "float"),
    Field("geo_region_name", "text"),
    Field("ip_isp", "text"),
    Field("ip_organization", "text"),
    Field("ip_domain", "text"),
    Field("ip_netspeed", "text"),
    Field("page_url", "text"),
    Field("page_title", "text"),
    Field("page_referrer", "text"),
    Field("page_urlscheme", "text"),
    Field("page_urlhost", "text"),
    Field("page_urlport", "integer"),
    Field("page_urlpath", "text"),
    Field("page_urlquery", "text"),
    Field("page_urlfragment", "text"),
    Field("refr_urlscheme", "text"),
    Field("refr_urlhost", "text"),
    Field("refr_urlport", "integer"),
    Field("refr_urlpath", "text"),
    Field("refr_urlquery", "text"),
    Field("refr_urlfragment", "text"),
    Field("refr_medium", "text"),
    Field("refr_source", "text"),
    Field("refr_term", "text"),
    Field("mkt_medium", "text"),
    Field("mkt_source", "text"),
    Field("mkt_term", "text"),
    Field("mkt_content", "text"),
    Field("mkt_campaign", "text"),
    Field("contexts", "json"),
    Field("se_category", "text"),
    Field("se_action", "text"),
    Field("se_label", "text"),
    Field("se_property", "text"),
    Field("se_value", "decimal"),
    Field("unstruct_event", "json"),
    Field("tr_orderid", "text"),
    Field("tr_affiliation", "text"),
    Field("tr_total", "decimal"),
    Field("tr_tax", "decimal"),
    Field("tr_shipping", "decimal"),
    Field("tr_city", "text"),
    Field("tr_state", "text"),
    Field("tr_country", "text"),
    Field("ti_orderid", "text"),
    Field("ti_sku", "text"),
    Field("ti_name", "text"),
    Field("ti_category", "text"),
    Field("ti_price", "decimal"),
    Field("ti_quantity", "integer"),
    Field("pp_xoffset_min", "integer"),
    Field("pp_xoffset_max", "integer"),
    Field("pp_yoffset_min", "integer"),
    Field("pp_yoffset_max", "integer"),
    Field("useragent", "text"),
    Field("br_name", "text"),
    Field("br_family", "text"),
    Field("br_version", "text"),
    Field("br_type", "text"),
    Field("br_renderengine", "text"),
    Field("br_lang", "text"),
    Field("br_features_pdf", "flag"),
    Field("br_features_flash", "flag"),
    Field("br_features_java", "flag"),
    Field("br_features_director", "flag"),
    Field("br_features_quicktime", "flag"),
    Field("br_features_realplayer", "flag"),
    Field("br_features_windowsmedia", "flag"),
    Field("br_features_gears", "flag"),
    Field("br_features_silverlight", "flag"),
    Field("br_cookies", "flag"),
    Field("br_colordepth", "text"),
    Field("br_viewwidth", "integer"),
    Field("br_viewheight", "integer"),
    Field("os_name", "text"),
    Field("os_family", "text"),
    Field("os_manufacturer", "text"),
    Field("os_timezone", "text"),
    Field("dvce_type", "text"),
    Field("dvce_ismobile", "flag"),
    Field("dvce_screenwidth", "integer"),
    Field("dvce_screenheight", "integer"),
    Field("doc_charset", "text"),
    Field("doc_width", "integer"),
    Field("doc_height", "integer"),
    Field("tr_currency", "text"),
    Field("tr_total_base", "decimal"),
    Field("tr_tax_base", "decimal"),
    Field("tr_shipping_base", "decimal"),
    Field("ti_currency", "text"),
    Field("ti_price_base", "decimal"),
    Field("base_currency", "text"),
    Field("geo_timezone", "text"),
    Field("mkt_clickid", "text"),
    Field("mkt_network", "text"),
    Field("etl_tags", "text"),
    Field("dvce_sent_tstamp", "timestamp"),
    Field("refr_domain_userid", "text"),
    Field("refr_dvce_tstamp", "timestamp"),
    Field("derived_contexts", "json"),
    Field("domain_sessionid", "text"),
    Field("derived_tstamp", "timestamp"),
    Field("event_vendor", "text"),
    Field("event_name", "text"),
    Field("event_format", "text"),
    Field("event_version", "text"),
    Field("event_fingerprint", "text"),
    Field("true_tstamp", "timestamp"),
)

NAMES: tuple[str, ...] = tuple(field.name for field in FIELDS)

POSITIONS: dict[str, int] = {field.name: position for position, field in enumerate(FIELDS)}
"""Where a field stands on a line, counted from 0 (``$n`` in Snowflake is one more)."""

NEVER_EMPTY: tuple[str, ...] = ("collector_tstamp", "event_id", "v_collector", "v_etl")
"""Required by the atomic schema; Enrich fails an event without them.

Source: https://github.com/snowplow/iglu-central/blob/master/schemas/com.snowplowanalytics.snowplow/atomic/jsonschema/1-0-0
"""
