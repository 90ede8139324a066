// Parameters of a run: checks their names and types against the defaults that the program declares, and converts texts to the declared
// types. A program that declares no parameters gets all that the run gives. No conversion changes a value: a text that a type cannot
// hold exactly is refused.

import { GristmillError } from '../../src/base/errors.ts'
import { nearest } from '../../src/base/nearest.ts'
import { showValue } from '../../src/base/show.ts'
import { isKept } from '../../src/record/integers.ts'
import { poisonedKey } from '../../src/rpc/body.ts'

type Values = Readonly<Record<string, unknown>>
type Texts = Readonly<Record<string, string>>

/** Parameters as the run gives them; both may be given, with different names. */
export interface GivenParams {
  readonly values: Values
  /** Texts of a command line or of the environment. */
  readonly texts: Texts
}

/** Parameters for a program that is built from them, before its defaults are known: a text that is not plain JSON stays a text. */
export function untypedParams({ values, texts }: GivenParams): Record<string, unknown> {
  const params: Record<string, unknown> = { ...values }
  for (const [name, text] of Object.entries(texts)) {
    try {
      params[name] = parseText(name, text)
    } catch {
      params[name] = text
    }
  }
  return params
}

/**
 * The parameters with the types of the defaults in `declared`. Throws EINVAL for a name that the program does not declare, and for a value
 * that its type cannot hold. A default of null or undefined accepts any value.
 */
export function typedParams(declared: Values | undefined, { values, texts }: GivenParams, program: string): Record<string, unknown> {
  const params: Record<string, unknown> = {}
  const names = Object.keys(declared ?? {})
  const accept = (name: string, convert: (model: unknown) => unknown): void => {
    if (declared && !names.includes(name)) throw unknownParam(name, names, program)
    params[name] = convert(declared?.[name])
  }
  for (const [name, value] of Object.entries(values)) if (value !== undefined) accept(name, model => ofValue(name, value, model))
  for (const [name, text] of Object.entries(texts)) accept(name, model => ofText(name, text, model))
  return params
}

const shownMax = 60
/** Fields of a declaration of an option, as other tools have them, and the types that it may name, with a default of each. */
const declaringKeys: ReadonlySet<string> = new Set(['type', 'default', 'description', 'required', 'optional'])
const declaredTypes: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  ['string', "''"], ['text', "''"], [String, "''"], ['number', '0'], ['integer', '0'], [Number, '0'],
  ['boolean', 'false'], [Boolean, 'false'],
  ['array', '[]'], ['list', '[]'], [Array, '[]'], ['object', '{}'], [Object, '{}'],
])

/**
 * Throws PROGRAM_INVALID for a parameter that is declared as `{ type: 'number', default: 3 }`: that object would be its default. An object
 * with any other field, or whose type is no name of a type, is a default.
 */
export function checkDefaults(declared: Values | undefined, program: string): void {
  for (const [name, value] of Object.entries(declared ?? {})) {
    if (kindOf(value) !== 'object') continue
    const fields = value as Values
    const keys = Object.keys(fields)
    const hasType = Object.hasOwn(fields, 'type')
    const hasDefault = Object.hasOwn(fields, 'default')
    if (!(hasType || hasDefault) || !keys.every(key => declaringKeys.has(key)) || (hasType && !declaredTypes.has(fields['type']))) continue
    const shown = hasDefault ? showValue(fields['default'], shownMax) : declaredTypes.get(fields['type'])
    throw new GristmillError(
      'PROGRAM_INVALID',
      `${program} declares its parameter ${name} as an object with ${keys.join(' and ')}; params are the defaults themselves, whose type `
      + `is that of the parameter: params: { ${name}: ${shown} }`,
    )
  }
}

export function unknownParam(name: string, names: readonly string[], program: string): GristmillError {
  const near = nearest(name, names)
  return new GristmillError(
    'EINVAL',
    `${program} has no parameter ${JSON.stringify(name)}${near === undefined ? '' : ` (did you mean ${near}?)`}; `
    + (names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`),
  )
}

type Kind = 'any' | 'text' | 'number' | 'boolean' | 'list' | 'object'

function kindOf(value: unknown): Kind {
  switch (typeof value) {
    case 'string': return 'text'
    case 'number': return 'number'
    case 'boolean': return 'boolean'
    case 'object': return value === null ? 'any' : Array.isArray(value) ? 'list' : 'object'
    default: return 'any'
  }
}

const nouns: Readonly<Record<Exclude<Kind, 'any'>, string>> = {
  text: 'a text', number: 'a number', boolean: 'true or false', list: 'a list, such as ["a","b"]', object: 'an object, such as {"a":1}',
}

function ofValue(name: string, value: unknown, model: unknown): unknown {
  const kind = kindOf(model)
  if (kind === 'any' || kindOf(value) === kind) return value
  if (typeof value === 'string') return ofText(name, value, model)
  if (kind === 'text' && (typeof value === 'number' || typeof value === 'boolean')) return String(value)
  throw mismatch(name, value, kind)
}

function ofText(name: string, text: string, model: unknown): unknown {
  const kind = kindOf(model)
  switch (kind) {
    case 'any': return parseText(name, text)
    case 'text': return text
    case 'number': {
      const source = text.trim()
      const value = Number(source)
      if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(source)) throw mismatch(name, text, kind)
      if (Object.is(value, -0))
        throw new GristmillError(
          'EINVAL', `the number ${source} of the parameter ${name} would be changed to 0; give 0, or declare a text in the program's params`,
        )
      if (!isKept(jsonNumber(source), value))
        throw new GristmillError(
          'EINVAL',
          `the number ${source} of the parameter ${name} would be changed to ${value}; a number holds 15 digits: declare a text in the program's params to keep more`,
        )
      return value
    }
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw mismatch(name, text, kind)
      return text === 'true'
    case 'list': case 'object': {
      const value = parseText(name, text)
      if (kindOf(value) !== kind) throw mismatch(name, text, kind)
      return value
    }
  }
}

/** The number as JSON writes it: without a plus sign, and with digits on both sides of a point. */
const jsonNumber = (source: string): string => source.replace(/^\+/, '').replace(/^(-?)\./, '$10.').replace(/\.(?=e|$)/i, '')

function mismatch(name: string, value: unknown, kind: Exclude<Kind, 'any'>): GristmillError {
  const shown = JSON.stringify(value)
  return new GristmillError(
    'EINVAL',
    `the parameter ${name} is ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}; it must be ${nouns[kind]}, as its default in ` +
    'the program',
  )
}

/**
 * The value of a text whose type the program does not declare. A text that is JSON (true, a list, an object) is taken as JSON. A number
 * is taken as a number only if it is written as JavaScript writes it: `1.10`, `1e999` and integers beyond 2^53 stay text. Throws EINVAL
 * for lists and objects with a number that no double holds exactly, or with a repeated name.
 */
function parseText(name: string, text: string): unknown {
  let bent: string | undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text, ((_key: string, item: unknown, { source }: { source?: string }) => {
      // Parameters are sent as JSON, which has no negative zero.
      if (typeof item === 'number' && (Object.is(item, -0) || !isKept(source!, item))) bent ??= source
      return item
    }) as (key: string, item: unknown) => unknown)
  } catch {
    return text
  }
  if (typeof parsed === 'number') return String(parsed) === text ? parsed : text
  const twice = repeatedName(text)
  if (twice !== undefined)
    throw new GristmillError('EINVAL', `the parameter ${name} has an object with the name ${twice} twice; leave one of them out`)
  const poisoned = poisonedKey(Object.fromEntries([[name, parsed]]))
  if (poisoned !== undefined)
    throw new GristmillError('EINVAL', `the parameter ${name} has an object with the key "${poisoned}", which no parameter may have; rename the key`)
  if (bent === undefined) return parsed
  throw new GristmillError(
    'EINVAL',
    `the number ${bent} of the parameter ${name} would be changed to ${String(Number(bent))}; put it in quotes, and the program gets a string`,
  )
}

/** The first name that occurs twice in one object of a JSON text, as written there; undefined if there is none. */
function repeatedName(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  let string = ''
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const name = JSON.parse(string) as string
      if (open.at(-1)!.has(name)) return string
      open.at(-1)!.add(name)
    } else string = token
  }
  return undefined
}
