// Compares the columns of a Parquet file with those of its table, which are those of the table's first file. The engine casts whatever it
// finds, and a cast may round 1.5 to 2, or cut the time from a day: a type that does not fit into the table's without loss is an error.

import { GristmillError } from '../base/errors.ts'
import { literalOf, typeText, type SqlType } from '../base/sql.ts'
import type { Database } from '../ports/database.ts'
import { escapedPath, type TablePart, type TableShape } from './sqltable.ts'

interface ParquetFile { readonly path: string; readonly local: string }

interface FitParts {
  /** REQUIRES: it reaches the file. */
  readonly db: Database
  readonly shape: TableShape
}

/** Throws PROGRAM_INVALID for a file that lacks a column, or has values that the column's type may not hold. */
export async function lookAtParquet({ path, local }: ParquetFile, { db, shape }: FitParts): Promise<Pick<TablePart, 'types'>> {
  const isPartition = (name: string): boolean => shape.partitions.some(each => isSame(each.name, name))
  const wanted = shape.columns.filter(({ name }) => !isPartition(name))
  const columns = await db.columnsOf(`SELECT * FROM read_parquet(${literalOf(escapedPath(local))}, hive_partitioning = false)`)
  const found = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]))
  const own = wanted.map(({ name }) => found.get(name.toLowerCase()))
  const missing = wanted.find((_, i) => own[i] === undefined)
  if (missing)
    throw differs(path, `${path} has no column ${missing.name}, which the first file of ${shape.name} has; name files that are alike`)
  const types = own.map(type => typeText(type!))
  if (types.every((type, i) => type === wanted[i]!.type)) return {}
  const list = wanted.map(({ type }, i) => `CAST(NULL AS ${type}) AS c${i}`)
  for (const [i, { type }] of (await db.columnsOf(`SELECT ${list.join(', ')}`)).entries())
    if (!isHeld(own[i]!, type))
      throw differs(
        path, `the column ${wanted[i]!.name} of ${path} is ${types[i]!}, and the first file of ${shape.name} has ${wanted[i]!.type}, `
        + 'which does not hold all its values; write the files with one type, or name those that are alike',
      )
  return { types: types.join(', ') }
}

const differs = (path: string, message: string): GristmillError => new GristmillError('PROGRAM_INVALID', message, { details: { path } })

const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

/** Each value of `type` is a value of `wider`, or has a cast that is an error. */
export function isHeld(type: SqlType, wider: SqlType): boolean {
  if (type.kind === 'plain' && wider.kind === 'plain') return isLeafHeld(type.name, wider.name)
  if (type.kind === 'plain') return type.name === nullType
  switch (wider.kind) {
    case 'list': return type.kind === 'list' && type.length === wider.length && isHeld(type.item, wider.item)
    case 'map': return type.kind === 'map' && isHeld(type.key, wider.key) && isHeld(type.value, wider.value)
    case 'struct':
      return type.kind === 'struct' && type.fields.length === wider.fields.length && wider.fields.every(field => {
        const own = type.fields.find(({ name }) => isSame(name, field.name))
        return own !== undefined && isHeld(own.type, field.type)
      })
    default: return typeText(type) === typeText(wider)
  }
}

const nullType = '"NULL"'
const bits: Readonly<Record<string, number>> = { TINYINT: 8, SMALLINT: 16, INTEGER: 32, BIGINT: 64, HUGEINT: 128 }
/** Digits of the largest value. */
const digits: Readonly<Record<string, number>> = {
  TINYINT: 3, UTINYINT: 3, SMALLINT: 5, USMALLINT: 5, INTEGER: 10, UINTEGER: 10, BIGINT: 19, UBIGINT: 20,
}
/** Each to those behind it. An instant that the finer type does not reach is an error of the cast. */
const instants = ['DATE', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP', 'TIMESTAMP_NS']

function isLeafHeld(type: string, wider: string): boolean {
  if (type === wider || type === nullType) return true
  if (type.startsWith('ENUM') && wider === 'VARCHAR') return true
  if (type === 'FLOAT' && wider === 'DOUBLE') return true
  if (instants.includes(type) && instants.includes(wider)) return instants.indexOf(type) < instants.indexOf(wider)
  const [isUnsigned, own] = integerOf(type)
  const [isWiderUnsigned, most] = integerOf(wider)
  if (own !== undefined && most !== undefined) return own < most && (isUnsigned || !isWiderUnsigned)
  // A number of 64 bits has 53 for digits, one of 32 bits 24.
  if (own !== undefined && (wider === 'DOUBLE' || wider === 'FLOAT')) return own <= (wider === 'DOUBLE' ? 32 : 16)
  const [whole, fraction] = decimalOf(type) ?? [digits[type] ?? Infinity, 0]
  const [wholeMax, fractionMax] = decimalOf(wider) ?? [-1, -1]
  return whole <= wholeMax && fraction <= fractionMax
}

function integerOf(type: string): readonly [isUnsigned: boolean, bits: number | undefined] {
  const isUnsigned = type.startsWith('U')
  return [isUnsigned, bits[isUnsigned ? type.slice(1) : type]]
}

/** Digits before and behind the point. */
function decimalOf(type: string): readonly [number, number] | undefined {
  const [, width, scale] = /^DECIMAL\((\d+), ?(\d+)\)$/.exec(type) ?? []
  return width === undefined ? undefined : [Number(width) - Number(scale), Number(scale)]
}
