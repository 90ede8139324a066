// The real Avro: the package avsc, loaded when the first schema is read. It is not a dependency of the package: few users need it.

import type * as Package from 'avsc'
import { GristmillError } from '../base/errors.ts'
import type { Avro, AvroType, LoadAvro } from '../ports/avro.ts'

export const loadAvro: LoadAvro = async () => {
  let avsc: typeof Package
  // A variable: the package is no part of the bundles.
  const name: string = 'avsc'
  try {
    const loaded = await import(name) as typeof Package & { default?: typeof Package }
    avsc = loaded.default ?? loaded
  } catch (error) {
    throw new GristmillError('CONFIG_INVALID', 'Avro needs the package avsc beside gristmill; add it: npm install avsc', { cause: error })
  }
  return avroOf(avsc)
}

const dayMs = 86_400_000

function avroOf(avsc: typeof Package): Avro {
  const { types, Type } = avsc
  /** Integers of 64 bits, with all their digits. */
  const long = types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer: (value: bigint | number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(value))
      return bytes
    },
    fromJSON: BigInt, toJSON: Number, compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
    isValid: (value: unknown) => typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value),
  })

  /** Text of digits. */
  class Decimal extends types.LogicalType {
    readonly #scale: number
    constructor(schema: Package.Schema, options?: object) {
      super(schema as never, options as never)
      this.#scale = Number((schema as { scale?: number }).scale ?? 0)
    }
    override _fromValue(bytes: Buffer): string {
      const value = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
      const digits = String(value < 0n ? -value : value).padStart(this.#scale + 1, '0')
      const [whole, part] = [digits.slice(0, digits.length - this.#scale), digits.slice(digits.length - this.#scale)]
      return `${value < 0n ? '-' : ''}${whole}${part === '' ? '' : `.${part}`}`
    }
    override _toValue(given: unknown): Buffer | undefined {
      const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(given)) ?? []
      if (whole === undefined || part.length > this.#scale) return undefined
      const value = BigInt(`${sign}${whole}${part.padEnd(this.#scale, '0')}`)
      let length = 1
      while (BigInt.asIntN(length * 8, value) !== value) length++
      return Buffer.from(BigInt.asUintN(length * 8, value).toString(16).padStart(length * 2, '0'), 'hex')
    }
  }

  /** Over the package's own numbers, which it refuses beyond 2^53: in microseconds the year 2255. */
  const times = (perMs: number) => class extends types.LogicalType {
    override _fromValue(value: number): string {
      const below = ((value % perMs) + perMs) % perMs
      const iso = new Date((value - below) / perMs).toISOString()
      return perMs === 1 ? iso : iso.replace('Z', `${String(below).padStart(String(perMs).length - 1, '0')}Z`)
    }
    override _toValue(given: unknown): number | undefined {
      const ms = typeof given === 'string' ? Date.parse(given) : Number.NaN
      return Number.isFinite(ms) ? ms * perMs : undefined
    }
  }

  class Day extends types.LogicalType {
    override _fromValue(days: number): string { return new Date(days * dayMs).toISOString().slice(0, 10) }
    override _toValue(given: unknown): number | undefined {
      const days = typeof given === 'string' && /^\d{4}-\d\d-\d\d$/.test(given) ? Date.parse(`${given}T00:00:00Z`) / dayMs : Number.NaN
      return Number.isFinite(days) ? days : undefined
    }
  }

  const logicalTypes = { decimal: Decimal, 'timestamp-millis': times(1), 'timestamp-micros': times(1000), date: Day }
  return {
    typeOf: schema => {
      // A new registry for each schema: the package adds its names, and two versions of a schema have the same ones.
      const type = Type.forSchema(plain(schema) as Package.Schema, { registry: { long }, logicalTypes } as never)
      return {
        fromBuffer: bytes => type.fromBuffer(bytes) as unknown, toBuffer: value => type.toBuffer(value),
        misfit: value => misfitOf(type, value),
      } satisfies AvroType
    },
  }
}

const primitives: ReadonlySet<unknown> = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])

/** `{"type": "long"}` as `"long"`: the package has its own integers for the first. */
function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain)
  if (typeof schema !== 'object' || schema === null) return schema
  const { type, logicalType, fields, items, values } = schema as Record<string, unknown>
  if (primitives.has(type) && logicalType === undefined) return type
  return {
    ...schema, ...typeof type === 'object' && { type: plain(type) }, ...items !== undefined && { items: plain(items) },
    ...values !== undefined && { values: plain(values) },
    ...Array.isArray(fields) && { fields: fields.map((field: Record<string, unknown>) => ({ ...field, type: plain(field['type']) })) },
  }
}

function misfitOf(type: Package.Type, value: unknown): string | undefined {
  let found: string | undefined
  const errorHook = (path: readonly string[], each: unknown, wanted: Package.Type): void => {
    const seen = typeof each === 'bigint' ? String(each) : JSON.stringify(each) ?? String(each)
    found ??= `${path.length === 0 ? 'the value' : path.join('.')} is ${seen}, and not ${String(wanted)}`
  }
  return type.isValid(value, { errorHook } as never) ? undefined : found ?? 'it does not fit the schema'
}
