// Parameters behind the `?` of a request of the page. Each throws EINVAL for what it does not know.

import { GristmillError } from '../../src/base/errors.ts'

export function pathIn(query: URLSearchParams, name = 'path'): string {
  const path = query.get(name)
  if (path === null || path === '') throw new GristmillError('EINVAL', `the request names no ${name}`)
  return path
}

export function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
  if (Number.isNaN(value)) throw new GristmillError('EINVAL', `${name} must be a whole number`)
  return value
}
