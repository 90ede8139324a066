// PgSettings of a session, as clients of PostgreSQL read and set them. Those that would change what a query gives are refused with other
// values than the one that holds here.

import { GristmillError } from '../../../src/base/errors.ts'

/** Release of PostgreSQL whose protocol and catalogue clients may expect. */
export const serverVersion = '15.0'

/** Names come from clients: a table has no others than its own. */
const table = <T>(rows: Readonly<Record<string, T>>): Readonly<Record<string, T | undefined>> => Object.assign(Object.create(null), rows)

const defaults = table<string>({
  server_version: serverVersion, server_version_num: '150000', server_encoding: 'UTF8', client_encoding: 'UTF8', datestyle: 'ISO, MDY',
    timezone: 'UTC',
  integer_datetimes: 'on', standard_conforming_strings: 'on', intervalstyle: 'postgres', is_superuser: 'off', application_name: '',
  default_transaction_read_only: 'on', transaction_read_only: 'on', in_hot_standby: 'off', search_path: 'public',
    transaction_isolation: 'read committed',
  default_transaction_isolation: 'read committed', statement_timeout: '0', lock_timeout: '0', idle_in_transaction_session_timeout: '0',
  extra_float_digits: '1', bytea_output: 'hex', client_min_messages: 'notice', max_identifier_length: '63', lc_collate: 'C', lc_ctype: 'C',
  max_index_keys: '32', row_security: 'on', escape_string_warning: 'on', backslash_quote: 'safe_encoding', synchronize_seqscans: 'on',
  role: 'none',
})

/** Sent to the client when its session begins, under the names that clients look for. */
const reported = [
  'server_version', 'server_encoding', 'client_encoding', 'application_name', 'is_superuser', 'DateStyle', 'IntervalStyle', 'TimeZone',
  'integer_datetimes', 'standard_conforming_strings', 'default_transaction_read_only', 'in_hot_standby',
]

/** Values that a setting may have, besides the default. */
const fixed = table<RegExp>({
  client_encoding: /^(utf-?8|unicode)$/i, timezone: /^(utc|gmt|etc\/utc|etc\/gmt|zulu|uct|default)$/i, datestyle: /^iso\b/i,
    intervalstyle: /^postgres$/i,
  bytea_output: /^hex$/i, standard_conforming_strings: /^(on|true|1)$/i,
})

/** Known to PostgreSQL, and without an effect here. */
const harmless = /^(enable_\w+|geqo\w*|jit\w*|work_mem|role|transaction|from_collapse_limit|join_collapse_limit|cursor_tuple_fraction|tcp_\w+|log_\w+)$/
const readOnly = /^(server_|integer_datetimes|is_superuser|in_hot_standby|max_|lc_)/

/** Names that applications choose, such as `app.tenant`: their values are kept as they are. */
const ownForm = /^[a-z_][a-z0-9_$]{0,62}(?:\.[a-z_][a-z0-9_$]{0,62}){1,3}$/
/** Settings with such names of one session. */
const ownMax = 100
const ownCharsMax = 10_000

/** Times, in milliseconds unless a unit is given. */
const times: ReadonlySet<string> = new Set(['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])
const units: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }
/** As in PostgreSQL: 24 days. */
const timeMax = 2 ** 31 - 1

/** Parameters of a connection that are no settings. */
const connecting: ReadonlySet<string> = new Set(['user', 'database', 'replication', 'options'])

export class PgSettings {
  readonly #own = new Map<string, string>()
  /** Settings that the connection began with: RESET goes back to them. */
  #initial: ReadonlyMap<string, string> = new Map()
  /** Values before the transaction that is open, and those that stay if it is committed. */
  #block: { readonly before: ReadonlyMap<string, string>; readonly after: Map<string, string> } | undefined

  /**
   * Takes the settings that the client gives when it connects, by their names or as `options` (`-c name=value`). Throws EINVAL. A driver
   * gives the time zone and the forms of its own machine by their names, whatever the server has: those that do not hold here are passed
   * over, and so are names that are not known.
   */
  begin(parameters: ReadonlyMap<string, string>): void {
    for (const [name, value] of parameters) {
      const key = name.toLowerCase()
      if (connecting.has(key) || key.startsWith('_pq_.')) continue
      const isStrict = times.has(key) || key === 'client_encoding'
      if (value === '') continue
      if (isStrict || (fixed[key] === undefined && isKnown(key))) this.set(key, value.replaceAll("'", ''))
    }
    for (const [name, value] of optionsIn(parameters.get('options') ?? '')) this.set(name.toLowerCase(), value)
    this.#initial = new Map(this.#own)
  }

  /** Names and values that the client is told at the start. */
  get reported(): [string, string][] { return reported.map(name => [name, this.get(name)]) }

  /** Throws EINVAL for a name that is not known. */
  get(name: string): string {
    const value = this.find(name)
    if (value === undefined) throw unknown(name)
    return value
  }

  /** undefined: the name is not known. */
  find(name: string): string | undefined {
    const key = name.toLowerCase().replace(/^time zone$/, 'timezone').replace(/^transaction isolation level$/, 'transaction_isolation')
    return this.#own.get(key) ?? defaults[key]
  }

  /** All names and values. */
  get all(): ReadonlyArray<readonly [name: string, value: string]> {
    return Object.entries({ ...defaults, ...Object.fromEntries(this.#own) } as Record<string, string>)
  }

  /** Keeps the settings, and returns what brings them back. */
  saved(): () => void {
    const own = new Map(this.#own)
    const after = this.#block && new Map(this.#block.after)
    return () => {
      this.#restore(own)
      if (this.#block && after) this.#block = { ...this.#block, after }
    }
  }

  /** A transaction begins. */
  open(): void { this.#block ??= { before: new Map(this.#own), after: new Map(this.#own) } }

  /** It ends: what it has set stays, or is undone; what it has set for itself is undone. */
  end(isCommitted: boolean): void {
    if (this.#block) this.#restore(isCommitted ? this.#block.after : this.#block.before)
    this.#block = undefined
  }

  #restore(values: ReadonlyMap<string, string>): void {
    this.#own.clear()
    for (const [name, value] of values) this.#own.set(name, value)
  }

  /**
   * `value`: undefined, the default. `isLocal`: until the transaction ends; without one it has no effect. Returns the value as it is then
   * shown. Throws EINVAL for a name that is not known, and for a value that does not hold here.
   */
  set(name: string, value: string | undefined, isLocal = false): string {
    const before = new Map(this.#own)
    this.#set(name, value)
    const made = this.find(name) ?? ''
    if (isLocal && !this.#block) this.#restore(before)
    if (isLocal || !this.#block) return made
    const now = this.#own.get(name)
    if (now === undefined) this.#block.after.delete(name)
    else this.#block.after.set(name, now)
    return made
  }

  #set(name: string, value: string | undefined): void {
    if (value === undefined || /^default$/i.test(value)) return this.#reset(name)
    const form = fixed[name]
    if (form && !form.test(value))
      throw new GristmillError(
        'EINVAL', `the setting ${name} is ${defaults[name]} here, and cannot be ${JSON.stringify(value.slice(0, 100))}`,
        { details: { sqlstate: '0A000' } },
      )
    if (!isKnown(name)) throw unknown(name)
    if (times.has(name)) this.#own.set(name, timeText(timeOf(name, value)))
    else if (ownForm.test(name)) this.#setOwn(name, value)
    else if (!form) this.#own.set(name, value.slice(0, 200))
  }

  #setOwn(name: string, value: string): void {
    if (value.length > ownCharsMax)
      throw new GristmillError('TOO_LARGE', `the value of ${name} has ${value.length} characters, and may have ${ownCharsMax}`)
    if (!this.#own.has(name) && this.#own.size >= ownMax)
      throw new GristmillError('OVERLOADED', `a session has at most ${ownMax} settings with values of its own`)
    this.#own.set(name, value)
  }

  #reset(name: string): void {
    if (!isKnown(name)) throw unknown(name)
    const first = this.#initial.get(name)
    if (first === undefined) this.#own.delete(name)
    else this.#own.set(name, first)
  }

  /** Milliseconds that a statement may take; 0: no bound. */
  get timeoutMs(): number { return timeOf('statement_timeout', this.get('statement_timeout')) }

  /** All settings go back to those of the start. */
  clear(): void {
    this.#restore(this.#initial)
    if (this.#block) this.#block = { ...this.#block, after: new Map(this.#initial) }
  }
}

const isKnown = (name: string): boolean =>
  (defaults[name] !== undefined || harmless.test(name) || ownForm.test(name)) && !readOnly.test(name)

/** Milliseconds. Throws EINVAL. */
function timeOf(name: string, value: string): number {
  const [, number, unit = 'ms'] = /^'?\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*(us|ms|s|min|h|d)?\s*'?$/.exec(value) ?? []
  const ms = Math.round(Number(number) * units[unit]!)
  if (ms >= 0 && ms <= timeMax) return ms
  throw new GristmillError(
    'EINVAL', `the setting ${name} is a time such as 500, 10s or 1min, of at most 24 days, and cannot be ${value.slice(0, 100)}`,
    { details: { sqlstate: '22023' } },
  )
}

/** In the largest unit that gives a whole number. */
function timeText(ms: number): string {
  if (ms === 0) return '0'
  const [unit, factor] = Object.entries(units).findLast(([, each]) => ms % each === 0 && each >= 1)!
  return `${ms / factor}${unit}`
}

/** Names and values of `-c name=value` and `--name=value`; a backslash takes the character behind it as it is. Throws EINVAL. */
function optionsIn(text: string): [string, string][] {
  const words = (text.match(/(?:\\[^]|[^\s\\])+/g) ?? []).map(word => word.replaceAll(/\\([^])/g, '$1'))
  const found: [string, string][] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i] === '-c' ? `-c${words[++i] ?? ''}` : words[i]!
    const [, name, value] = /^(?:-c|--)([\w.]+)=([^]*)$/.exec(word) ?? []
    if (name === undefined) {
      throw new GristmillError('EINVAL', `the options of the connection have ${JSON.stringify(word.slice(0, 100))}; write -c name=value`, {
        details: { sqlstate: '42601' },
      })
    }
    found.push([name, value!])
  }
  return found
}

const unknown = (name: string): GristmillError =>
  new GristmillError('EINVAL', `there is no setting ${name} that could be read or changed here`, { details: { sqlstate: '42704' } })
