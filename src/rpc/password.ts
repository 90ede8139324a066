// Hashes of the passwords of users, by scrypt: what the namenode keeps, and its journal and backups have, does not tell the password.
// INVARIANT: the costs are part of the form and the same for all hashes, so that a stored text cannot make a gateway work for long.

import { scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Random } from '../ports/random.ts'
import { hashedForm } from '../protocol/user.ts'

const derive = promisify<string, Uint8Array, number, { N: number; r: number; p: number }, Buffer>(scrypt)

const saltBytes = 16
const hashBytes = 32
/** 16 MiB of memory and 34 ms of one core for each guess. */
const costs = { N: 2 ** 14, r: 8, p: 1 } as const
const prefix = 'scrypt-14-8-1'

export async function hashPassword(password: string, random: Pick<Random, 'bytes'>): Promise<string> {
  const salt = Buffer.from(random.bytes(saltBytes))
  const hash = await derive(password, salt, hashBytes, costs)
  return `${prefix}.${salt.toString('base64url')}.${hash.toString('base64url')}`
}

/** `hashed` undefined: there is no password, and the answer takes as long. */
export async function isPassword(hashed: string | undefined, password: string): Promise<boolean> {
  const [, salt = 'A'.repeat(22), hash = 'A'.repeat(43)] = hashedForm.exec(hashed ?? '') ?? []
  const found = await derive(password, Buffer.from(salt, 'base64url'), hashBytes, costs)
  return timingSafeEqual(found, Buffer.from(hash, 'base64url')) && hashed !== undefined
}
