// Access to Kafka: TLS, and user and password (SASL), from where its own tools find them: a file of properties, named by KAFKA_CONFIG,
// with the names of Java's clients or of librdkafka; a variable KAFKA_NAME, with _ for the dots of the name, goes before the file. Values
// are never part of a message.

import { GristmillError } from '../../base/errors.ts'
import type { KafkaSasl, KafkaTls } from '../../ports/kafka.ts'

interface AccessDeps {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Undefined: there is no such file. */
  readonly readText: (path: string) => Promise<string | undefined>
}

interface KafkaAccess {
  readonly tls?: KafkaTls | undefined
  readonly sasl?: KafkaSasl | undefined
  readonly registry?: string | undefined
  /** USER:PASSWORD for the schema registry. */
  readonly registryUser?: string | undefined
}

/** Throws CONFIG_INVALID. */
export async function findKafkaAccess(deps: AccessDeps): Promise<KafkaAccess> {
  const properties = await propertiesOf(deps)
  const property = (...names: readonly string[]): string | undefined => {
    for (const name of names) {
      const found = deps.env[`KAFKA_${name.replaceAll('.', '_').toUpperCase()}`] ?? properties.get(name)
      if (found !== undefined && found !== '') return found
    }
    return undefined
  }
  const protocol = (property('security.protocol') ?? 'PLAINTEXT').toUpperCase()
  if (!['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'].includes(protocol))
    throw wrong('security.protocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL')
  return {
    tls: protocol.endsWith('SSL') ? await tlsOf(deps, property, properties) : undefined,
    sasl: protocol.startsWith('SASL') ? saslOf(property) : undefined,
    registry: property('schema.registry.url'),
    registryUser: property('basic.auth.user.info', 'schema.registry.basic.auth.user.info'),
  }
}

const wrong = (text: string): GristmillError => new GristmillError('CONFIG_INVALID', `access to Kafka: ${text}`)

async function propertiesOf({ env, readText }: AccessDeps): Promise<ReadonlyMap<string, string>> {
  const path = env['KAFKA_CONFIG']
  if (path === undefined || path === '') return new Map()
  const text = await readText(path)
  if (text === undefined) throw wrong(`KAFKA_CONFIG names ${path}, which is no file`)
  const found = new Map<string, string>()
  for (const line of text.replaceAll(/\\\r?\n\s*/g, '').split(/\r?\n/)) {
    const [, name, value] = /^\s*([^#!\s=:][^\s=:]*)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? []
    if (name !== undefined) found.set(name, value!)
  }
  return found
}

type Property = (...names: readonly string[]) => string | undefined

function saslOf(property: Property): KafkaSasl {
  const given = (property('sasl.mechanism', 'sasl.mechanisms') ?? 'PLAIN').toUpperCase()
  const mechanism = (['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const).find(each => each === given)
  if (!mechanism) throw wrong('sasl.mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512')
  const jaas = property('sasl.jaas.config') ?? ''
  const inJaas = (name: string): string | undefined => {
    const [, quoted] = new RegExp(String.raw`\b${name}\s*=\s*"((?:[^"\\]|\\.)*)"`).exec(jaas) ?? []
    return quoted?.replaceAll(/\\(.)/g, '$1')
  }
  const username = property('sasl.username') ?? inJaas('username')
  const password = property('sasl.password') ?? inJaas('password')
  if (username === undefined || password === undefined)
    throw wrong('there is no user or password; set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, or sasl.jaas.config in the file of KAFKA_CONFIG')
  return { mechanism, username, password }
}

async function tlsOf({ env, readText }: AccessDeps, property: Property, properties: ReadonlyMap<string, string>): Promise<KafkaTls> {
  for (const name of ['ssl.truststore.type', 'ssl.keystore.type'])
    if ((property(name) ?? 'PEM').toUpperCase() !== 'PEM') throw wrong(`${name} is PEM; Java's own key stores cannot be read`)
  const pem = async (...names: readonly string[]): Promise<string | undefined> => {
    const path = property(...names)
    if (path === undefined) return undefined
    const text = await readText(path)
    if (text === undefined) throw wrong(`${names[0]} names ${path}, which is no file`)
    if (!text.includes('-----BEGIN ')) throw wrong(`${names[0]} names ${path}, which is not in PEM`)
    return text
  }
  const store = await pem('ssl.keystore.location')
  // Empty, it switches the comparison off, as in Java; an empty variable would otherwise count as none.
  const name = 'ssl.endpoint.identification.algorithm'
  const compared = env['KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM'] ?? properties.get(name) ?? 'https'
  return {
    ca: await pem('ssl.ca.location', 'ssl.truststore.location'), cert: await pem('ssl.certificate.location') ?? store,
    key: await pem('ssl.key.location') ?? store, passphrase: property('ssl.key.password'), checkHost: !['', 'none'].includes(compared),
  }
}
