// The body of a request: the text of a query, or JSON with the text and its parameters. Integers of JSON keep all their digits.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlParams } from '../../sql/statement.ts'

export interface Question { readonly sql: string; readonly params: SqlParams | undefined }

/** Lists and objects inside one another. */
const depthMax = 64

/** Throws EINVAL for a body that has no query. */
export function readQuestion(body: Buffer, type = ''): Question {
  const text = textOf(body)
  if (!/\bjson\b/i.test(type)) return { sql: text, params: undefined }
  const { sql, params, ...others } = objectOf(text)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw new GristmillError('EINVAL', `the request has sql and params, and not ${JSON.stringify(unknown.slice(0, 40))}`)
  if (typeof sql !== 'string') throw new GristmillError('EINVAL', 'the request has no query: {"sql": "SELECT …", "params": […]}')
  if (params === undefined || params === null) return { sql, params: undefined }
  if (typeof params !== 'object')
    throw new GristmillError('EINVAL', 'params is a list of the values of ? and $1, or an object with those of $name')
  return { sql, params: params as SqlParams }
}

function textOf(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new GristmillError('EINVAL', 'the request is not in UTF-8')
  }
}

function objectOf(text: string): Record<string, unknown> {
  checkDepth(text)
  let found: unknown
  try {
    found = JSON.parse(text, exactly as (key: string, value: unknown) => unknown)
  } catch (error) {
    throw new GristmillError('EINVAL', `the request is no JSON: ${(error as Error).message}`, { cause: error })
  }
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found as Record<string, unknown>
  throw new GristmillError('EINVAL', 'the request is no object of JSON: {"sql": "SELECT …"}')
}

function exactly(_: string, value: unknown, { source }: { readonly source?: string }): unknown {
  const isLong = typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source)
  return isLong ? BigInt(source) : value
}

/** The parser of JSON and what prints the values go down one call for each. */
function checkDepth(text: string): void {
  let depth = 0
  let isText = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (isText && char === '\\') i++
    else if (char === '"') isText = !isText
    else if (!isText && (char === '[' || char === '{')) depth++
    else if (!isText && (char === ']' || char === '}')) depth--
    if (depth > depthMax) throw new GristmillError('EINVAL', `the request has more than ${depthMax} lists and objects inside one another`)
  }
}
