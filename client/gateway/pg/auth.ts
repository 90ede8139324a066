// SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side: the client proves that it knows the secret of an access key, and neither side
// sends it. A name without a key goes through the same steps and fails at their end, so that it cannot be told from a wrong secret.

import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { GristmillError } from '../../../src/base/errors.ts'
import type { Random } from '../../../src/ports/random.ts'

const iterations = 4096
const hash = 'sha256'
const hmac = (key: Uint8Array, text: string): Buffer => createHmac(hash, key).update(text).digest()

export const mechanism = 'SCRAM-SHA-256'

const failed = (): GristmillError => new GristmillError(
  'UNAUTHENTICATED', 'the user and the password are not the id and the secret of an access key; `gristmill user key NAME` makes one',
  { details: { sqlstate: '28P01' } },
)
const malformed = (): GristmillError =>
  new GristmillError('UNAUTHENTICATED', 'the client does not follow SCRAM-SHA-256', { details: { sqlstate: '28000' } })

export class Scram {
  readonly #random: Pick<Random, 'bytes'>
  readonly #secret: string | undefined
  #bare = ''
  #nonce = ''
  #first = ''
  #salted = Buffer.alloc(0)
  #gs2 = ''

  /** `secret`: undefined for a name that has none. */
  constructor(random: Pick<Random, 'bytes'>, secret: string | undefined) {
    this.#random = random
    this.#secret = secret
  }

  /** The server's first message. Throws UNAUTHENTICATED. */
  async begin(message: string): Promise<string> {
    // Without channel binding: `n` or `y`, and no name of another user.
    const [, gs2, bare, nonce] = /^([ny],,)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]{1,256})(?:,.*)?)$/.exec(message) ?? []
    if (gs2 === undefined || bare === undefined || nonce === undefined) throw malformed()
    const salt = Buffer.from(this.#random.bytes(16))
    this.#gs2 = gs2
    this.#bare = bare
    this.#nonce = nonce + Buffer.from(this.#random.bytes(18)).toString('base64')
    this.#first = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`
    const secret = this.#secret ?? Buffer.from(this.#random.bytes(32)).toString('hex')
    this.#salted = await promisify(pbkdf2)(secret.normalize('NFKC'), salt, iterations, 32, hash)
    return this.#first
  }

  /** The server's last message. Throws UNAUTHENTICATED for a wrong proof. */
  end(message: string): string {
    const [, without, binding, nonce, proof] = /^(c=([A-Za-z0-9+/=]*),r=([^,]*)(?:,.*)?),p=([A-Za-z0-9+/=]*)$/.exec(message) ?? []
    if (without === undefined || binding === undefined || nonce === undefined || proof === undefined) throw malformed()
    if (nonce !== this.#nonce || Buffer.from(binding, 'base64').toString() !== this.#gs2) throw malformed()
    const text = `${this.#bare},${this.#first},${without}`
    const client = hmac(this.#salted, 'Client Key')
    const stored = createHash(hash).update(client).digest()
    const given = Buffer.from(proof, 'base64')
    const signature = hmac(stored, text)
    const key = Buffer.from(signature.map((byte, i) => byte ^ (given[i] ?? 0)))
    const isRight = given.length === 32 && timingSafeEqual(createHash(hash).update(key).digest(), stored)
    if (!isRight || this.#secret === undefined) throw failed()
    return `v=${hmac(hmac(this.#salted, 'Server Key'), text).toString('base64')}`
  }
}
