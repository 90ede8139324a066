// Scalar functions that the planner prints. Each gives the same result for the same arguments in every task, and keeps all its arguments
// in DuckDB's bound tree, or its bound data have all that was taken out of them. Other functions are gathered: volatile ones (`random`,
// `uuid`), those that look at the session (`current_setting`), and those that take part of the syntax (`unnest`). Functions with lambdas
// are in lambda.ts.

const names = (text: string): string[] => text.trim().split(/\s+/)

/** Written between their two operands; those with one operand are `-`, `+`, `~` and `@`. */
export const operators: ReadonlySet<string> = new Set(names('+ - * / // % ^ ** & | << >> || ~~ !~~ ~~* !~~* ~~~ ^@ ~ @ && @> <@'))

export const scalarFunctions: ReadonlySet<string> = new Set(
  names(`
  abs acos acosh asin asinh atan atan2 atanh cbrt ceil ceiling cos cosh cot degrees even exp factorial floor fmod gamma gcd
  greatest greatest_common_divisor isfinite isinf isnan lcm least least_common_multiple lgamma ln log log10 log2 mod multiply nextafter
  pi pow power radians round round_even sign signbit sin sinh sqrt subtract add divide tan tanh trunc xor bit_count

  ascii bar base64 bin bit_length char_length character_length chr concat concat_ws contains damerau_levenshtein editdist3 encode decode
  ends_with format format_bytes formatReadableSize from_base64 from_hex hamming hex instr jaccard jaro_similarity jaro_winkler_similarity
  lcase left length len levenshtein lower lpad ltrim md5 nfc_normalize octet_length ord parse_dirname parse_dirpath
  parse_filename position prefix printf regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace
  regexp_split_to_array repeat replace reverse right rpad rtrim sha1 sha256 split split_part starts_with str_split str_split_regex string_split
  string_split_regex strip_accents strlen strpos substr substring suffix to_base64 to_binary to_hex translate trim ucase unbin
  unhex unicode upper url_decode url_encode like_escape ilike_escape not_like_escape not_ilike_escape

  century date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear decade
  epoch epoch_ms epoch_ns epoch_us era hour isodow isoyear julian last_day make_date make_time make_timestamp microsecond millennium
  millisecond minute month monthname quarter second strftime strptime try_strptime time_bucket to_centuries to_days to_decades
  to_hours to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_weeks to_years week weekday
  weekofyear year yearweek age timezone

  array_extract array_length array_slice cardinality element_at flatten list_append list_cat list_concat list_contains list_distinct
  list_element list_extract list_has list_has_all list_has_any list_indexof list_intersect list_pack list_position list_prepend
  list_aggr list_aggregate list_resize list_reverse list_reverse_sort list_slice list_sort list_unique list_value list_where list_zip array_cat array_concat array_contains array_has
  array_has_all array_has_any array_sort array_reverse_sort array_position array_unique array_value range generate_series
  map map_concat map_contains map_entries map_extract map_extract_value map_from_entries map_keys map_values
  row_to_json to_json struct_extract struct_pack struct_values constant_or_null hash nullif error typeof
`),
)
