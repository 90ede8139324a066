// Values of Avro with a schema registry, as Confluent's, Apicurio's and Redpanda's have it: GET /schemas/ids/N gives the schema that a
// message names, GET /subjects/S/versions/V one to which a schema refers. A value becomes JSON: integers of 64 bits with all digits,
// decimals as texts of digits, times in ISO 8601, bytes in base64; a union is the value itself, and an object with the name of its branch
// where two branches look the same in JSON.
// The package avsc is loaded with the first schema.

import { GristmillError, hasCode } from '../../base/errors.ts'
import { exactJson } from '../../base/exactjson.ts'
import type { Avro, AvroType, LoadAvro } from '../../ports/avro.ts'
import { again, ask, refusal, textOf, type AskDeps } from '../ask.ts'
import { misfit, type DecodeAvro } from './decode.ts'

interface RegistryDeps extends AskDeps { readonly loadAvro: LoadAvro }

interface RegistryOptions {
  readonly url: string
  /** USER:PASSWORD. */
  readonly user?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Schemas to which one schema refers, with those to which they refer. */
const referencesMax = 100

interface Told { readonly schema?: unknown; readonly schemaType?: unknown; readonly references?: unknown; readonly id?: unknown }

/** Throws EINVAL for a schema of another kind, and for what is no JSON. */
function schemaIn({ schema, schemaType = 'AVRO' }: Told): unknown {
  if (schemaType !== 'AVRO') throw misfit(`its schema is of the type ${String(schemaType)}, and not of Avro`)
  try {
    return JSON.parse(String(schema))
  } catch (error) {
    throw misfit(`its schema cannot be read: ${(error as Error).message}`)
  }
}

export class SchemaRegistry {
  readonly #deps: RegistryDeps
  readonly #options: RegistryOptions
  readonly #types = new Map<number, Promise<AvroType>>()
  #avro: Promise<Avro> | undefined

  constructor(deps: RegistryDeps, options: RegistryOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** Throws EINVAL for bytes that are not of this schema, and for a number that the registry does not know. */
  readonly decode: DecodeAvro = async (schema, bytes) => {
    const type = await this.#typeOf(schema)
    try {
      return exactJson(type.fromBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)))
    } catch (error) {
      throw misfit(`its bytes are not of schema ${schema}${error instanceof TypeError ? '' : `: ${(error as Error).message}`}`)
    }
  }

  /** The latest schema of a subject: its number, and a function that writes JSON values in it, or throws EINVAL. Throws ENOENT. */
  async latest(subject: string): Promise<{ readonly id: number; readonly encode: (value: unknown) => Uint8Array }> {
    const told = await this.#get(`/subjects/${encodeURIComponent(subject)}/versions/latest`)
    if (!told) {
      throw new GristmillError(
        'ENOENT', `the schema registry ${this.#options.url} has no subject ${subject}; register the schema of the values there first`,
      )
    }
    const type = await this.#parsed(told)
    const id = Number(told.id)
    const encode = (value: unknown): Uint8Array => {
      try {
        return type.encode(value)
      } catch (error) {
        throw hasCode(error, 'EINVAL')
          ? misfit(`${error.message}; the schema is the latest of ${subject}, ${id}: register one that fits, or change the row`) : error
      }
    }
    return { id, encode }
  }

  async #typeOf(schema: number): Promise<AvroType> {
    const known = this.#types.get(schema)
    if (known) return known
    const type = (async () => {
      const told = await this.#get(`/schemas/ids/${schema}`)
      if (!told) throw misfit(`it names schema ${schema}, which the schema registry does not have`)
      return this.#parsed(told)
    })()
    this.#types.set(schema, type)
    // A registry that was away is asked again.
    type.catch(() => this.#types.delete(schema))
    return type
  }

  async #parsed(told: Told): Promise<AvroType> {
    const named: unknown[] = []
    await this.#refer(told, named, new Set())
    const avro = await (this.#avro ??= this.#deps.loadAvro())
    try {
      return avro.typeOf(schemaIn(told), 'message', named)
    } catch (error) {
      if (error instanceof GristmillError) throw error
      throw misfit(`its schema cannot be read: ${(error as Error).message}`)
    }
  }

  /** Adds the schemas to which one refers, each behind those to which it refers itself. */
  async #refer({ references }: Told, named: unknown[], seen: Set<string>): Promise<void> {
    if (!Array.isArray(references)) return
    for (const { subject, version } of references as Array<{ readonly subject?: unknown; readonly version?: unknown }>) {
      const path = `/subjects/${encodeURIComponent(String(subject))}/versions/${encodeURIComponent(String(version))}`
      if (seen.has(path)) continue
      seen.add(path)
      if (seen.size > referencesMax) throw misfit(`its schema refers to more than ${referencesMax} others`)
      const told = await this.#get(path)
      const other = `version ${String(version)} of ${String(subject)}`
      if (!told) throw misfit(`its schema refers to ${other}, which the schema registry does not have`)
      await this.#refer(told, named, seen)
      named.push(schemaIn(told))
    }
  }

  /** Undefined: there is no such thing. */
  #get(path: string): Promise<Told | undefined> {
    const { url, user, signal } = this.#options
    return again(this.#deps, async () => {
      const headers = {
        accept: 'application/vnd.schemaregistry.v1+json, application/json',
        ...user !== undefined && { authorization: `Basic ${Buffer.from(user).toString('base64')}` },
      }
      const reply = await ask(this.#deps, { method: 'GET', url: `${url}${path}`, headers, signal })
      if (reply.status === 404) {
        await reply.discard()
        return undefined
      }
      if (reply.status !== 200) throw await refusal(reply, `the schema registry ${url}`)
      try {
        return JSON.parse(await textOf(reply)) as Told
      } catch (error) {
        if (error instanceof GristmillError) throw error
        throw new GristmillError('CORRUPT', `the schema registry ${url} has sent no JSON`, { cause: error })
      }
    }, signal)
  }
}
