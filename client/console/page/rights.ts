// Mode, owner, number of replicas and limits, as a user writes them. Pure; each throws an Error with what to write.

import { parseBytes, parseWhole } from '../../../src/base/units.ts'
import type { CallRequest } from '../calls.ts'

type Rights = Omit<CallRequest<'namespace.attributes'>, 'path'>

/** Three octal digits, and a first one for the sticky bit. */
export function modeFrom(text: string): Rights {
  if (!/^[01]?[0-7]{3}$/.test(text.trim())) throw new Error('Write the mode in octal digits, such as 644 or 1777.')
  return { mode: Number.parseInt(text.trim(), 8) }
}

export const modeText = (mode: number): string => mode.toString(8).padStart(3, '0')

/** `USER`, `USER:GROUP` or `:GROUP`. */
export function ownerFrom(text: string): Rights {
  const [, owner = '', group = ''] = /^([^:]*)(?::([^:]*))?$/.exec(text.trim()) ?? []
  if (owner === '' && group === '') throw new Error('Write USER, USER:GROUP, or :GROUP.')
  return { ...owner !== '' && { owner }, ...group !== '' && { group } }
}

export function replicasFrom(text: string): Rights {
  if (!/^[1-9]\d{0,3}$/.test(text.trim())) throw new Error('Write a whole number, 1 or more.')
  return { replication: Number(text) }
}

/** A limit of a quota, as the command line takes it: bytes with a unit, such as 10GiB; null: none. */
export function limitFrom(text: string, what: 'names' | 'bytes'): number | null {
  const given = text.trim()
  if (given === '' || given === '-') return null
  if (what === 'bytes') return parseBytes(given)
  const value = parseWhole(given)
  if (Number.isNaN(value)) throw new Error('Write a whole number, or - for no limit.')
  return value
}
