// Texts of replies without compiled schemas, compared with those of the compiled serialisers for every message of the protocol; and which
// messages are compiled.

import jsonCompiler from '@fastify/fast-json-stringify-compiler'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fits } from '../../../../src/protocol/check.ts'
import Type, { type TSchema } from '../../../../src/protocol/schema.ts'
import { lazyCompilers } from '../../../../src/rpc/compile.ts'
import { isPlain, textOf } from '../../../../src/rpc/interpreted.ts'
import { seeded } from '../../../../src/world/random.ts'
import { root } from '../../../tidy/source.ts'

type Build = (schemas: object, options: object) => (route: { schema: object }) => (value: unknown) => string

const compiledFor = (schema: object): (value: unknown) => string =>
  (jsonCompiler() as unknown as Build)({}, { ajv: { code: { optimize: false } } })({ schema })

interface Json {
  type?: string
  const?: unknown
  anyOf?: Json[]
  properties?: Record<string, Json>
  required?: string[]
  items?: Json | Json[]
  patternProperties?: Record<string, Json>
  minItems?: number
  minLength?: number
  minimum?: number
}

const odd = ['', 'ü', '\u2028"\\\n', '\ud800', '<>&', '😀']

/** A value that fits, with properties that the schema does not have. */
function sample(schema: Json, random: { below(n: number): number }): unknown {
  if (schema.anyOf) return sample(schema.anyOf[random.below(schema.anyOf.length)]!, random)
  if (schema.const !== undefined) return schema.const
  switch (schema.type) {
    case 'string': return odd[random.below(odd.length)]! + 'x'.repeat(schema.minLength ?? 0)
    case 'integer': return (schema.minimum ?? -3) + [0, 1, 2 ** 40, 2 ** 53 - 1][random.below(4)]!
    case 'number': return (schema.minimum ?? 0) + random.below(100) / 7
    case 'boolean': return random.below(2) === 0
    case 'null': return null
    case 'array':
      return Array.isArray(schema.items)
        ? schema.items.map(item => sample(item, random))
        : Array.from({ length: (schema.minItems ?? 0) + random.below(3) }, () => sample(schema.items as Json, random))
    case 'object': {
      const made: Record<string, unknown> = { unlisted: 'secret' }
      for (const [name, field] of Object.entries(schema.properties ?? {}).reverse()) {
        if (schema.required?.includes(name) || random.below(2) === 0) made[name] = sample(field, random)
      }
      const [every] = Object.values(schema.patternProperties ?? {})
      return every ? { 'a key': sample(every, random), 'ü"': sample(every, random) } : made
    }
    default: return { any: [1, 'x', null] }
  }
}

test('the text of a reply is that of the compiled serialiser, for every message', async () => {
  const random = seeded('replies')
  const counts = { same: 0, unsure: 0 }
  for (const file of readdirSync(join(root, 'src/protocol'))) {
    for (const [name, one] of Object.entries(await import(join(root, 'src/protocol', file)) as Record<string, { reply?: object }>)) {
      if (typeof one !== 'object' || one === null || one.reply === undefined || !isPlain(one.reply)) continue
      const compiled = compiledFor(one.reply)
      for (let i = 0; i < 12; i++) {
        const value = sample(one.reply, random)
        const text = textOf(one.reply, value)
        if (text === undefined) counts.unsure++
        else {
          expect(text, `${file}: ${name}`).toBe(compiled(value))
          counts.same++
        }
      }
    }
  }
  expect(counts.same).toBeGreaterThan(900)
  expect(counts.unsure).toBeLessThan(counts.same / 10)
})

test('a value that does not fit, and a keyword that is not known, have no text', () => {
  const schema = Type.Object({ count: Type.Integer(), kind: Type.Union([Type.Literal('a'), Type.Object({ at: Type.Number() })]) })
  expect(textOf(schema, { kind: { at: 0.5, more: 1 }, count: 2 })).toBe('{"count":2,"kind":{"at":0.5}}')
  for (const value of [
    null, [], {}, { count: 1.5, kind: 'a' }, { count: '1', kind: 'a' }, { count: 1, kind: 'b' }, { count: 1, kind: { at: NaN } },
    { count: 1, kind: 'a', toJSON: () => 1 },
  ]) expect(textOf(schema, value), JSON.stringify(value)).toBeUndefined()
  expect(isPlain(schema)).toBe(true)
  expect(isPlain(Type.Object({ id: Type.Array(Type.String({ pattern: 'x' })) }))).toBe(false)
  expect(isPlain(Type.Object({ id: Type.Optional(Type.String({ format: 'date' })) }))).toBe(false)
})

interface Compilers {
  buildValidator(schemas: object, options: object): (route: { schema: object }) => ((value: unknown) => boolean) & { errors?: unknown }
  buildSerializer(schemas: object, options: object): (route: { schema: object }) => (value: unknown) => string
}

test('a message that does not fit is refused with its errors, the first as a later one, and a pattern is always checked', () => {
  const { buildValidator, buildSerializer } = lazyCompilers() as unknown as Compilers
  const options = { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, strict: false } }
  const schema = Type.Object({ name: Type.String({ maxLength: 3 }) })
  const fresh = (): TSchema => ({ ...schema })
  const [first, later, patterned] = [fresh(), fresh(), Type.Object({ name: Type.String({ pattern: '^a' }) })].map(each =>
    buildValidator({}, options)({ schema: each }))
  for (let i = 0; i < 40; i++) expect(later!({ name: 'abc', more: i })).toBe(true)
  for (const validate of [first!, later!]) {
    expect(validate({ name: 'abcd' })).toBe(false)
    expect(validate.errors).toMatchObject([{ instancePath: '/name', keyword: 'maxLength' }])
    expect([validate({ name: 'abc' }), validate({})]).toEqual([true, false])
  }
  expect([patterned!({ name: 'ab' }), patterned!({ name: 'ba' })]).toEqual([true, false])

  const write = buildSerializer({}, {})({ schema })
  expect(new Set(Array.from({ length: 40 }, () => write({ more: 'secret', name: 'abc' })))).toEqual(new Set(['{"name":"abc"}']))
  expect(() => buildSerializer({}, {})({ schema: fresh() })({ more: 1 })).toThrow('"name" is required')
  expect(fits(schema, { name: 'abc' })).toBe(true)
})

test('replies with long texts are compiled after fewer of them', () => {
  const { buildSerializer } = lazyCompilers() as unknown as Compilers
  /** True if the reply behind these ones is interpreted. */
  const isInterpreted = (replies: readonly string[][]): boolean => {
    let reads = 0
    const schema = { type: 'array', get items() { reads++; return { type: 'string' } } }
    const write = buildSerializer({}, {})({ schema })
    for (const reply of replies) expect(write(reply)).toBe(JSON.stringify(reply))
    reads = 0
    expect(write(['a'])).toBe('["a"]')
    return reads > 0
  }
  const long = ['x'.repeat(100_000)]
  expect(isInterpreted([['a'], ['b'], ['c']])).toBe(true)
  expect(isInterpreted([long, ['b'], ['c']])).toBe(false)
})
