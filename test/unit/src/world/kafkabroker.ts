// A broker of Kafka as far as connections go: TLS and SASL before the metadata of one topic. The bytes are written here by the protocol's
// description, so that the client's package is tested and not used for both sides.

import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

interface BrokerOptions {
  /** Address of this machine; default: 127.0.0.1. */
  readonly host?: string
  readonly tls?: TlsOptions | undefined
  readonly sasl?: { readonly mechanism: string; readonly username: string; readonly password: string } | undefined
  /** SCRAM: proves to the client that it knows another password. */
  readonly isImpostor?: boolean
}

export interface Broker {
  readonly port: number
  /** Connections that have asked for metadata. */
  readonly served: number
  /** Requests for metadata before the end of SASL, which no client may send. */
  readonly early: number
  [Symbol.asyncDispose](): Promise<void>
}

const [metadata, saslHandshake, apiVersions, saslAuthenticate] = [3, 17, 18, 36]
const versions: ReadonlyArray<readonly [key: number, least: number, most: number]> =
  [[metadata, 12, 12], [saslHandshake, 1, 1], [apiVersions, 0, 3], [saslAuthenticate, 2, 2]]
const [unsupportedMechanism, authenticationFailed] = [33, 58]

const int16 = (value: number): Buffer => { const bytes = Buffer.alloc(2); bytes.writeInt16BE(value); return bytes }
const int32 = (value: number): Buffer => { const bytes = Buffer.alloc(4); bytes.writeInt32BE(value); return bytes }
const byte = (...values: readonly number[]): Buffer => Buffer.from(values)
/** Texts and bytes are shorter than 127. */
const compact = (value: Uint8Array | string): Buffer => Buffer.concat([byte(Buffer.from(value).length + 1), Buffer.from(value)])

export async function startBroker({ host = '127.0.0.1', tls, sasl, isImpostor = false }: BrokerOptions): Promise<Broker> {
  const sockets = new Set<Socket>()
  const state = { served: 0, early: 0 }
  const serve = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
    let rest = Buffer.alloc(0)
    let step = sasl ? 'none' : 'done'
    const login = sasl && new Login(sasl, isImpostor)
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes])
      // As Kafka does: the beginning of TLS is the length of a request that is too large.
      if (rest.length >= 4 && rest.readInt32BE(0) > 1024 * 1024) socket.destroy()
      for (; rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0); rest = rest.subarray(4 + rest.readInt32BE(0)))
        answer(rest.subarray(4, 4 + rest.readInt32BE(0)))
    })
    const answer = (request: Buffer): void => {
      const [key, version, correlation] = [request.readInt16BE(0), request.readInt16BE(2), request.readInt32BE(4)]
      const body = request.subarray(10 + Math.max(0, request.readInt16BE(8)))
      const reply = (isFlexible: boolean, ...parts: readonly Buffer[]): void => {
        const whole = Buffer.concat([int32(correlation), ...isFlexible ? [byte(0)] : [], ...parts])
        socket.write(Buffer.concat([int32(whole.length), whole]))
      }
      if (key === apiVersions) {
        const isFlexible = version >= 3
        reply(
          false, int16(0), isFlexible ? byte(versions.length + 1) : int32(versions.length),
          ...versions.flatMap(([api, least, most]) => [int16(api), int16(least), int16(most), ...isFlexible ? [byte(0)] : []]),
          ...version > 0 ? [int32(0)] : [], ...isFlexible ? [byte(0)] : [],
        )
      } else if (key === saslHandshake) {
        const isKnown = body.subarray(2).toString() === sasl?.mechanism
        const names = sasl ? [sasl.mechanism] : []
        step = isKnown ? 'handshake' : 'none'
        reply(
          false, int16(isKnown ? 0 : unsupportedMechanism), int32(names.length),
          ...names.flatMap(name => [int16(name.length), Buffer.from(name)]),
        )
      } else if (key === saslAuthenticate) {
        // Behind the tags of the header: compact bytes.
        const size = (body[1]! & 0x7f) + (body[1]! >= 0x80 ? body[2]! << 7 : 0) - 1
        const at = body[1]! >= 0x80 ? 3 : 2
        const given = body.subarray(at, at + size)
        const told = step === 'handshake' ? login!.next(given) : undefined
        if (told?.isDone) step = 'done'
        reply(
          true, int16(told ? 0 : authenticationFailed), told ? byte(0) : compact('wrong user or password'), compact(told?.bytes ?? ''),
          Buffer.alloc(8), byte(0),
        )
      } else if (step !== 'done') {
        state.early++
        socket.destroy()
      } else {
        state.served++
        const partition = [int16(0), int32(0), int32(1), int32(0), byte(2), int32(1), byte(2), int32(1), byte(1), byte(0)]
        reply(
          true, int32(0), byte(2), int32(1), compact('localhost'), int32(port()), byte(0), byte(0), compact('fake'), int32(1),
          byte(2), int16(0), compact('clicks'), Buffer.alloc(16, 7), byte(0), byte(2), ...partition, int32(0), byte(0), byte(0),
        )
      }
    }
  }
  const server = tls ? createTlsServer(tls, serve) : createServer(serve)
  server.on('tlsClientError', () => undefined)
  await new Promise<void>(done => { server.listen(0, host, done) })
  const port = (): number => (server.address() as AddressInfo).port
  return {
    port: port(), get served() { return state.served }, get early() { return state.early },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(done => { server.close(done) })
    },
  }
}

/** The server's part of PLAIN (RFC 4616) and SCRAM (RFC 5802). */
class Login {
  readonly #sasl: NonNullable<BrokerOptions['sasl']>
  readonly #isImpostor: boolean
  #first: { readonly bare: string; readonly told: string } | undefined
  readonly #salt = randomBytes(12)
  constructor(sasl: NonNullable<BrokerOptions['sasl']>, isImpostor: boolean) {
    this.#sasl = sasl
    this.#isImpostor = isImpostor
  }

  /** Undefined: refused. */
  next(given: Buffer): { readonly bytes: Buffer | string; readonly isDone: boolean } | undefined {
    const { mechanism, username, password } = this.#sasl
    if (mechanism === 'PLAIN') return given.equals(Buffer.from(`\0${username}\0${password}`)) ? { bytes: '', isDone: true } : undefined
    const text = given.toString()
    if (!this.#first) {
      const [, bare, user, nonce] = /^n,,(n=([^,]*),r=([^,]+))$/.exec(text) ?? []
      if (bare === undefined || user!.replaceAll('=2C', ',').replaceAll('=3D', '=') !== username) return undefined
      const told = `r=${nonce!}server,s=${this.#salt.toString('base64')},i=4096`
      this.#first = { bare, told }
      return { bytes: told, isDone: false }
    }
    const algorithm = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512'
    const hmac = (key: Buffer, data: string): Buffer => createHmac(algorithm, key).update(data).digest()
    const keyOf = (of: string): Buffer => pbkdf2Sync(of, this.#salt, 4096, algorithm === 'sha256' ? 32 : 64, algorithm)
    const [, without, proof] = /^(.*),p=(.*)$/.exec(text) ?? []
    const message = `${this.#first.bare},${this.#first.told},${without!}`
    const clientKey = hmac(keyOf(password), 'Client Key')
    const signature = hmac(createHash(algorithm).update(clientKey).digest(), message)
    const wanted = Buffer.from(clientKey.map((each, i) => each ^ signature[i]!))
    const found = Buffer.from(proof!, 'base64')
    if (found.length !== wanted.length || !timingSafeEqual(found, wanted)) return undefined
    const proven = hmac(hmac(keyOf(this.#isImpostor ? `${password}!` : password), 'Server Key'), message)
    return { bytes: `v=${proven.toString('base64')}`, isDone: true }
  }
}
