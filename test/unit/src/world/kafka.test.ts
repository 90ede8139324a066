// Connections of the real client of Kafka to a broker with TLS and SASL on a socket of this machine: who is let in, what is refused before
// a password is sent, and that errors say what to set and never have a password in them.

import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { findKafkaAccess } from '../../../../src/connector/kafka/access.ts'
import { openKafka } from '../../../../src/world/kafka.ts'
import { first, second } from '../../client/gateway/certificates.ts'
import { startBroker, type Broker } from './kafkabroker.ts'

const files: Readonly<Record<string, string>> = {
  '/first.pem': first.cert, '/second.pem': second.cert, '/client.pem': second.cert, '/client.key': second.key,
}

/** Asks for the topic as an import does that is started with these variables. */
async function asked(broker: Broker, env: Readonly<Record<string, string>>, host = 'localhost') {
  const { tls, sasl } = await findKafkaAccess({ env, readText: async path => files[path] })
  const client = await openKafka({ brokers: [`${host}:${broker.port}`], tls, sasl }, undefined)
  try {
    return await client.topic('clicks')
  } finally {
    await client.close()
  }
}
const failure = (broker: Broker, env: Readonly<Record<string, string>>, host?: string) =>
  asked(broker, env, host).then(() => ({ code: 'none', message: 'none' }), (error: { code: string; message: string }) => {
    // What a log would have of it.
    expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/hunter2|s3cret/)
    return error
  })

const topic = { partitions: 1, id: expect.any(String) as string }
const ssl = { KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CA_LOCATION: '/first.pem' }

test('TLS: a broker whose certificate is trusted is asked, others are not, with the variable to set', async () => {
  await using broker = await startBroker({ tls: first })
  expect(await asked(broker, ssl)).toMatchObject(topic)
  const own = await failure(broker, { KAFKA_SECURITY_PROTOCOL: 'SSL' })
  expect(own).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('KAFKA_SSL_CA_LOCATION') as string })
  expect(await failure(broker, { ...ssl, KAFKA_SSL_CA_LOCATION: '/second.pem' })).toMatchObject({ code: 'CONFIG_INVALID' })
  expect(broker.early).toBe(0)
})

test('TLS: the name in the certificate is compared, unless that is switched off', async () => {
  // An address that the certificate does not have.
  await using broker = await startBroker({ tls: first, host: '127.0.0.2' })
  const wrong = await failure(broker, ssl, '127.0.0.2')
  expect(wrong).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('name the broker as its certificate') as string })
  const env = { ...ssl, KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: '' }
  expect(await asked(broker, env, '127.0.0.2')).toMatchObject(topic)
})

test('TLS: a broker that asks for the certificate of the client gets it', async () => {
  await using broker = await startBroker({ tls: { ...first, requestCert: true, rejectUnauthorized: true, ca: second.cert } })
  const own = { ...ssl, KAFKA_SSL_CERTIFICATE_LOCATION: '/client.pem', KAFKA_SSL_KEY_LOCATION: '/client.key' }
  expect(await asked(broker, own)).toMatchObject(topic)
  expect((await failure(broker, ssl)).message).toContain('Kafka')
  expect(broker.served).toBe(1)
})

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
test.each(mechanisms)('SASL by %s over TLS: the user is let in, and a wrong password is said and not shown', async mechanism => {
  await using broker = await startBroker({ tls: first, sasl: { mechanism, username: 'ada=1', password: 'hunter2,"é' } })
  const env = {
    ...ssl, KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: 'ada=1',
    KAFKA_SASL_PASSWORD: 'hunter2,"é',
  }
  expect(await asked(broker, env)).toMatchObject(topic)
  expect(await failure(broker, { ...env, KAFKA_SASL_PASSWORD: 's3cret' })).toMatchObject({ code: 'UNAUTHENTICATED' })
  expect(await failure(broker, { ...env, KAFKA_SASL_USERNAME: 'bob' })).toMatchObject({ code: 'UNAUTHENTICATED' })
  const other = mechanism === 'PLAIN' ? 'SCRAM-SHA-256' : 'PLAIN'
  expect(await failure(broker, { ...env, KAFKA_SASL_MECHANISM: other })).toMatchObject({ code: 'CONFIG_INVALID' })
  expect(broker.early).toBe(0)
})

test('SASL: a broker that does not know the password is no broker of the user', async () => {
  await using broker = await startBroker({ sasl: { mechanism: 'SCRAM-SHA-256', username: 'ada', password: 'hunter2' }, isImpostor: true })
  const env = {
    KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256', KAFKA_SASL_USERNAME: 'ada',
    KAFKA_SASL_PASSWORD: 'hunter2',
  }
  expect(await failure(broker, env)).toMatchObject({ code: 'UNAUTHENTICATED' })
  expect(broker.served).toBe(0)
})

test('a port with TLS that is asked without, and one without that is asked with it, are said', async () => {
  await using secure = await startBroker({ tls: first })
  expect((await failure(secure, {})).message).toContain('KAFKA_SECURITY_PROTOCOL')
  await using plain = await startBroker({})
  expect((await failure(plain, ssl)).message).toContain('KAFKA_SECURITY_PROTOCOL')
})
