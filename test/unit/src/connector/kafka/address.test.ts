// Addresses of topics with their options, and access to brokers from a file of properties and from variables.

import { expect, test } from 'vitest'
import { findKafkaAccess } from '../../../../../src/connector/kafka/access.ts'
import { readingOf, topicAddressOf, withTopicOptions, writingOf } from '../../../../../src/connector/kafka/address.ts'

test('an address names brokers, a topic and options, which other options replace', () => {
  expect(topicAddressOf('kafka://a:9093,b,[::1]:9094/clicks.v1?from=2026-11-27T10:00:00%2b01:00')).toEqual({
    brokers: ['a:9093', 'b:9092', '[::1]:9094'], topic: 'clicks.v1', shown: 'kafka://a:9093,b,[::1]:9094/clicks.v1',
    options: { from: '2026-11-27T10:00:00+01:00' },
  })
  const url = withTopicOptions('kafka://a/t?from=1&to=9', { from: '2026-11-27T10:00+01:00', value: undefined, registry: 'http://r:1' })
  expect(url).toBe('kafka://a/t?from=2026-11-27T10:00%2b01:00&to=9&registry=http://r:1')
  expect(topicAddressOf(url).options).toEqual({ from: '2026-11-27T10:00+01:00', to: '9', registry: 'http://r:1' })
  expect(withTopicOptions('kafka://a/t', { from: undefined })).toBe('kafka://a/t')
  // A ? behind the first one belongs to the option in which it stands.
  const two = withTopicOptions('kafka://a/t?registry=http://r:1/?x=1&value=avro', { from: 1 })
  expect(topicAddressOf(two).options).toEqual({ registry: 'http://r:1/?x=1', value: 'avro', from: '1' })
  for (const bad of [
    'kafka://ada:hunter2@h/t', 'kafka:///t', 'kafka://h', 'kafka://h/', 'kafka://h/a/b', 'kafka://h/a b', 'kafka://h:x/t',
    'kafka://h/t?a=1&a=2',
  ]) {
    expect(() => topicAddressOf(bad), bad).toThrow(expect.objectContaining({
      code: 'EINVAL', message: expect.not.stringContaining('hunter2') as string,
    }))
  }
})

test('options of a read and of a write are checked', () => {
  const read = (query: string) => readingOf(topicAddressOf(`kafka://h/t?${query}`))
  expect(read('')).toEqual({ from: undefined, to: undefined, value: 'json', key: 'text', bad: 'fail', registry: undefined })
  expect(read('from=0:3,2:4').from).toEqual({ kind: 'offsets', offsets: new Map([[0, 3], [2, 4]]) })
  expect(read('from=2026-11-27').from).toEqual({ kind: 'time', ms: Date.UTC(2026, 10, 27) })
  expect(read('from=2026-11-27T10:00').from).toEqual({ kind: 'time', ms: Date.UTC(2026, 10, 27, 10) })
  for (const bad of [
    'from=-1', 'from=0:1,0:2', 'from=yesterday', 'from=2026-13-01', 'to=beginning', 'value=xml', 'bad=skip', 'registry=r', 'form=1',
    'rate=1',
    'registry=http://u:hunter2@r',
  ]) {
    expect(() => read(bad), bad).toThrow(expect.objectContaining({
      code: 'EINVAL', message: expect.not.stringContaining('hunter2') as string,
    }))
  }
  const write = (query: string) => writingOf(topicAddressOf(`kafka://h/t?${query}`))
  expect(write('rate=10&create=2')).toEqual({ value: 'json', registry: undefined, rate: 10, create: 2, compression: 'none' })
  expect(write('compression=lz4').compression).toBe('lz4')
  for (const bad of ['rate=0', 'rate=1.5', 'create=x', 'value=text', 'from=1', 'compression=lzo']) expect(() => write(bad), bad).toThrow()
})

test('access comes from the properties of Java and librdkafka, and variables go before them', async () => {
  const files: Record<string, string> = {
    '/c': '# x\nsecurity.protocol=SASL_SSL\nsasl.mechanism = SCRAM-SHA-512\nsasl.jaas.config=org.apache.kafka.ScramLoginModule required \\\n'
      + '  username="ada" password="p\\"w";\nssl.truststore.type=PEM\nssl.truststore.location=/ca\nbasic.auth.user.info=a:b\n',
    '/ca': '-----BEGIN CERTIFICATE-----', '/jks': 'binary', '/ssl': 'security.protocol=SSL\nssl.endpoint.identification.algorithm=\n',
  }
  const of = (env: Record<string, string>) => findKafkaAccess({ env, readText: async path => files[path] })
  expect(await of({})).toMatchObject({ tls: undefined, sasl: undefined })
  const found = await of({ KAFKA_CONFIG: '/c' })
  expect(found).toMatchObject({
    tls: { ca: '-----BEGIN CERTIFICATE-----', checkHost: true }, sasl: { mechanism: 'SCRAM-SHA-512', username: 'ada', password: 'p"w' },
    registryUser: 'a:b',
  })
  expect((await of({ KAFKA_CONFIG: '/c', KAFKA_SASL_PASSWORD: 'other', KAFKA_SASL_MECHANISM: 'plain' })).sasl)
    .toEqual({ mechanism: 'PLAIN', username: 'ada', password: 'other' })
  expect((await of({ KAFKA_CONFIG: '/ssl' })).tls).toMatchObject({ checkHost: false })
  expect((await of({ KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' })).tls).toBeUndefined()
  const secret = { KAFKA_SASL_PASSWORD: 'hunter2', KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' }
  for (const bad of [
    secret, { ...secret, KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_MECHANISM: 'GSSAPI' }, { KAFKA_CONFIG: '/none' },
    { KAFKA_SECURITY_PROTOCOL: 'TLS' },
    { KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CA_LOCATION: '/jks' }, { KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_TRUSTSTORE_TYPE: 'JKS' },
  ]) await expect(of(bad)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.not.stringContaining('hunter2') as string })
})
