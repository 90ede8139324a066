// TLS of a gateway: requests over it, files that are replaced while the gateway runs, and files that do not go together.

import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { Certificate } from '../../../../client/gateway/certificate.ts'
import type { Exchange } from '../../../../client/gateway/exchange.ts'
import { Trust } from '../../../../client/gateway/identity.ts'
import { Listener } from '../../../../client/gateway/listener.ts'
import { silent } from '../../../../src/ports/log.ts'
import { checkKeyPair } from '../../../../src/world/certificate.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { first, second } from './certificates.ts'

/** Files in memory, and looks at them that the test makes. */
async function opened(pair: { cert: string; key: string } = first) {
  const files: Record<string, string> = { ...pair }
  const faults: string[] = []
  const looks: (() => void)[] = []
  const certificate = await Certificate.open({
    disk: {
      readFile: async path => {
        if (files[path] === undefined) throw new Error(`there is no ${path}`)
        return Buffer.from(files[path])
      },
    },
    clock: { after: (_, work) => { looks.push(work); return () => { looks.pop() } } },
    log: { info: () => {}, error: message => { faults.push(message) } }, check: checkKeyPair,
  }, { cert: 'cert', key: 'key' })
  const look = async (): Promise<void> => {
    looks.pop()!()
    while (looks.length === 0) await new Promise(resolve => setImmediate(resolve))
  }
  return { certificate, files, faults, looks, look }
}

test('requests come over TLS; a certificate that was replaced is that of the next connection, once its key is there too', async () => {
  const { certificate, files, faults, look } = await opened()
  const trust = new Trust({ host: '127.0.0.1', proxies: { has: () => false }, encrypted: true })
  const dialect = {
    name: 'test', refuse: async () => {},
    answer: async (exchange: Exchange) => exchange.send(200, {}, trust.originOf(exchange)),
  }
  const listener = await Listener.start({ clock: systemClock, log: silent, net: systemNet(silent), dialect, certificate },
    { host: '127.0.0.1', port: 0 })
  onTestFinished(() => listener.stop())
  const ask = (ca: string): Promise<{ text: string; name: string }> => new Promise((resolve, reject) => {
    const asking = request(`https://${listener.address}/`, { ca, agent: false }, reply => {
      const { subject } = (reply.socket as TLSSocket).getPeerCertificate()
      let text = ''
      reply.on('data', (bytes: Buffer) => { text += bytes.toString() })
      reply.on('end', () => resolve({ text, name: String(subject.CN) }))
    })
    asking.on('error', reject)
    asking.end()
  })
  expect(await ask(first.cert)).toEqual({ text: `https://${listener.address}`, name: 'gateway-1' })
  files['cert'] = second.cert
  await look()
  await look()
  expect((await ask(first.cert)).name).toBe('gateway-1')
  expect(faults).toEqual(['the certificate cannot be read; the last one stays in use'])
  files['key'] = second.key
  await look()
  expect((await ask(second.cert)).name).toBe('gateway-2')
  await expect(ask(first.cert)).rejects.toThrow(/self-signed certificate/)
  // Plain HTTP is told where to go, and reaches no dialect.
  const plain = await fetch(`http://${listener.address}/`)
  expect([plain.status, await plain.text()]).toEqual([400, expect.stringContaining('use https://')])
})

test('a gateway does not start with files that do not go together, and looks at none after its end', async () => {
  await expect(opened({ cert: first.cert, key: second.key })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(opened({ cert: first.cert, key: 'no key' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  const { certificate, looks } = await opened()
  certificate.stop()
  expect(looks).toEqual([])
})
