// Seals secrets of users with a key that is derived from the cluster's secret (AES-256-GCM): a stored secret, and a copy of it in a backup,
// is of no use without the cluster's secret. A sealed secret is bound to a name: it opens under no other one.

import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { GristmillError } from '../base/errors.ts'
import type { Random } from '../ports/random.ts'

const form = 'v1.'
const nonceBytes = 12
const tagBytes = 16

export class Vault {
  /** The first seals, all open. */
  readonly #keys: readonly [Buffer, ...Buffer[]]
  readonly #random: Random

  /** `otherSecret`: opens what was sealed with it. */
  constructor({ secret, otherSecret }: { secret: Uint8Array; otherSecret?: Uint8Array | undefined }, random: Random) {
    this.#keys = otherSecret === undefined ? [keyOf(secret)] : [keyOf(secret), keyOf(otherSecret)]
    this.#random = random
  }

  /** `v1.` and the base64url of nonce, tag and ciphertext. */
  seal(text: string, name: string): string {
    const nonce = this.#random.bytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#keys[0], nonce).setAAD(Buffer.from(name))
    const bytes = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return form + Buffer.concat([nonce, cipher.getAuthTag(), bytes]).toString('base64url')
  }

  /** Throws CORRUPT if it was sealed under another name or with another secret, or was changed. */
  open(sealed: string, name: string): string {
    return this.#opened(sealed, name).text
  }

  /** The text sealed with the first secret, if it was sealed with the other one; undefined if it needs no change. Throws as `open`. */
  reseal(sealed: string, name: string): string | undefined {
    const { text, at } = this.#opened(sealed, name)
    return at === 0 ? undefined : this.seal(text, name)
  }

  #opened(sealed: string, name: string): { readonly text: string; readonly at: number } {
    const bytes = Buffer.from(sealed.slice(form.length), 'base64url')
    let cause: unknown = new Error('not a sealed text')
    if (sealed.startsWith(form) && bytes.length >= nonceBytes + tagBytes) {
      for (const [at, key] of this.#keys.entries()) {
        try {
          return { text: decrypted(bytes, key, name), at }
        } catch (error) {
          cause = error
        }
      }
    }
    throw new GristmillError(
      'CORRUPT',
      `the secret of ${name} cannot be opened with this cluster's secret: it was sealed with another one; remove the key and make a new one (user key)`,
      { cause },
    )
  }
}

const keyOf = (secret: Uint8Array): Buffer => createHmac('sha256', secret).update('gristmill vault v1').digest()

function decrypted(bytes: Buffer, key: Buffer, name: string): string {
  const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes))
  return Buffer.concat([cipher.update(bytes.subarray(nonceBytes + tagBytes)), cipher.final()]).toString()
}
