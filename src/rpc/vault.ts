// Seals secrets of users with a key that is derived from the cluster's secret (AES-256-GCM): a stored secret, and a copy of it in a backup,
// is of no use without the cluster's secret. A sealed secret is bound to a name: it opens under no other one.

import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { GristmillError } from '../base/errors.ts'
import type { Random } from '../ports/random.ts'

const form = 'v1.'
const nonceBytes = 12
const tagBytes = 16

export class Vault {
  readonly #key: Buffer
  readonly #random: Random

  constructor(secret: Uint8Array, random: Random) {
    this.#key = createHmac('sha256', secret).update('gristmill vault v1').digest()
    this.#random = random
  }

  /** `v1.` and the base64url of nonce, tag and ciphertext. */
  seal(text: string, name: string): string {
    const nonce = this.#random.bytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name))
    const bytes = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return form + Buffer.concat([nonce, cipher.getAuthTag(), bytes]).toString('base64url')
  }

  /** Throws CORRUPT if it was sealed under another name or with another secret, or was changed. */
  open(sealed: string, name: string): string {
    const bytes = Buffer.from(sealed.slice(form.length), 'base64url')
    try {
      if (!sealed.startsWith(form) || bytes.length < nonceBytes + tagBytes) throw new Error('not a sealed text')
      const cipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
        .setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes))
      return Buffer.concat([cipher.update(bytes.subarray(nonceBytes + tagBytes)), cipher.final()]).toString()
    } catch (error) {
      throw new GristmillError(
        'CORRUPT',
        `the secret of ${name} cannot be opened with this cluster's secret: it was sealed with another one; remove the key and make a new one (user key)`,
        { cause: error },
      )
    }
  }
}
