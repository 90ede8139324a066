// PgSettings of a session, as clients of PostgreSQL read and set them. Those that would change what a query gives are refused with other
// values than the one that holds here.

import { GristmillError } from '../../../src/base/errors.ts'

/** Release of PostgreSQL whose protocol and catalogue clients may expect. */
export const serverVersion = '15.0'

const defaults: Readonly<Record<string, string>> = {
  server_version: serverVersion, server_version_num: '150000', server_encoding: 'UTF8', client_encoding: 'UTF8', datestyle: 'ISO, MDY',
    timezone: 'UTC',
  integer_datetimes: 'on', standard_conforming_strings: 'on', intervalstyle: 'postgres', is_superuser: 'off', application_name: '',
  default_transaction_read_only: 'on', transaction_read_only: 'on', in_hot_standby: 'off', search_path: 'public',
    transaction_isolation: 'read committed',
  default_transaction_isolation: 'read committed', statement_timeout: '0', lock_timeout: '0', idle_in_transaction_session_timeout: '0',
  extra_float_digits: '1', bytea_output: 'hex', client_min_messages: 'notice', max_identifier_length: '63', lc_collate: 'C', lc_ctype: 'C',
  max_index_keys: '32', row_security: 'on', escape_string_warning: 'on', backslash_quote: 'safe_encoding', synchronize_seqscans: 'on',
}

/** Sent to the client when its session begins, under the names that clients look for. */
const reported = [
  'server_version', 'server_encoding', 'client_encoding', 'application_name', 'is_superuser', 'DateStyle', 'IntervalStyle', 'TimeZone',
  'integer_datetimes', 'standard_conforming_strings', 'default_transaction_read_only', 'in_hot_standby',
]

/** Values that a setting may have, besides the default. */
const fixed: Readonly<Record<string, RegExp>> = {
  client_encoding: /^(utf-?8|unicode)$/i, timezone: /^(utc|gmt|etc\/utc|etc\/gmt|zulu|uct|default)$/i, datestyle: /^iso\b/i,
    intervalstyle: /^postgres$/i,
  bytea_output: /^hex$/i, standard_conforming_strings: /^(on|true|1)$/i,
}

/** Known to PostgreSQL, and without an effect here. */
const harmless = /^(enable_\w+|geqo\w*|jit\w*|work_mem|role|transaction|from_collapse_limit|join_collapse_limit|cursor_tuple_fraction|tcp_\w+|log_\w+)$/
const readOnly = /^(server_|integer_datetimes|is_superuser|in_hot_standby|max_|lc_)/

export class PgSettings {
  readonly #own = new Map<string, string>()

  /** Names and values that the client is told at the start. */
  get reported(): [string, string][] { return reported.map(name => [name, this.get(name)]) }

  /** Throws EINVAL for a name that is not known. */
  get(name: string): string {
    const key = name.toLowerCase().replace(/^time zone$/, 'timezone').replace(/^transaction isolation level$/, 'transaction_isolation')
    const value = this.#own.get(key) ?? defaults[key]
    if (value === undefined) throw unknown(name)
    return value
  }

  /** An empty value: the default. Throws EINVAL for a value that does not hold here. */
  set(name: string, value: string): void {
    if (value === '' || /^default$/i.test(value)) return void this.#own.delete(name)
    const form = fixed[name]
    if (form && !form.test(value))
      throw new GristmillError('EINVAL', `the setting ${name} is ${defaults[name]} here, and cannot be ${value}`,
        { details: { sqlstate: '0A000' } })
    if ((defaults[name] === undefined && !harmless.test(name)) || readOnly.test(name)) throw unknown(name)
    if (!form) this.#own.set(name, value.slice(0, 200))
  }

  /** Milliseconds that a statement may take; 0: no bound. */
  get timeoutMs(): number {
    const [, number = '0', unit = 'ms'] = /^'?(\d{1,9})\s*(ms|s|min|h)?'?$/.exec(this.get('statement_timeout')) ?? []
    return Number(number) * ({ ms: 1, s: 1000, min: 60_000, h: 3_600_000 }[unit] ?? 1)
  }

  clear(): void { this.#own.clear() }
}

const unknown = (name: string): GristmillError =>
  new GristmillError('EINVAL', `there is no setting ${name} that could be read or changed here`, { details: { sqlstate: '42704' } })
