// The role of a gateway: a part of `up` that is added, remembered, started again and stopped with its cluster; and the embedded cluster of
// `serve`.

import { existsSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { ServerProcess } from '../kit/process/server.ts'
import { until } from '../kit/cluster.ts'
import { portDefaults } from '../../client/discovery/locate.ts'
import { bin, eachInAHome, env, home, lives, ok, up, type Up } from './homes.ts'

eachInAHome()

const freePort = (): Promise<number> => new Promise(resolve => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resolve(port))
  })
})

const gatewayOf = ({ processes }: Up) => processes.filter(one => one.role === 'gateway')

const answers = async (address: string): Promise<unknown> =>
  (await fetch(`http://${address}/webhdfs/v1/?op=GETHOMEDIRECTORY&user.name=ada`)).json()

test('up --gateway adds a gateway to the cluster that runs; the next up starts it again, and down stops it', async () => {
  const before = await up('--datanodes', '1')
  expect(gatewayOf(before)).toEqual([])
  const port = await freePort()
  const added = await up('--gateway', '--console', String(port), '--webhdfs', '0')
  const [first] = gatewayOf(added)
  const { console: pages = '' } = added
  expect(pages.split(':').at(-1)).toBe(String(port))
  expect(await answers(first!.address)).toEqual({ Path: '/user/ada' })
  expect(existsSync(join(home, 'cluster/log/access.log'))).toBe(true)
  const shown = JSON.parse(await ok('status', '--json')) as Up
  expect(shown.processes.find(one => one.role === 'gateway')).toMatchObject({ address: first!.address, pid: first!.pid, state: 'live' })
  const others = shown.processes.filter(one => one.role !== 'gateway')
  expect(others.map(one => one.pid).sort()).toEqual(before.processes.map(one => one.pid).sort())

  process.kill(first!.pid, 'SIGKILL')
  await until('the end of the gateway', async () => !lives(first!.pid))
  const [second] = gatewayOf(await up())
  expect(second!.pid).not.toBe(first!.pid)
  expect(await answers(second!.address)).toEqual({ Path: '/user/ada' })

  await ok('down')
  expect(lives(second!.pid)).toBe(false)
  const [, link] = /login#(v1\.[\w-]+)\n/.exec(await ok('up', '--detach'))!
  expect((await fetch(`${pages}/api/login`, { method: 'POST', body: JSON.stringify({ link }) })).status).toBe(200)
  const [third] = gatewayOf(JSON.parse(await ok('status', '--json')) as Up)
  expect(await answers(third!.address)).toEqual({ Path: '/user/ada' })
})

/** Holds a port of this machine, unless another process does. */
async function hold(port: number): Promise<Server> {
  const server = createServer()
  await new Promise<void>(resolve => { server.once('error', () => resolve()).listen(port, '127.0.0.1', () => resolve()) })
  return server
}

test('the console opens beside a cluster of three datanodes, also where its own port is taken', async () => {
  const { processes } = await up('--datanodes', '3')
  expect(processes.map(one => one.address.split(':').at(-1))).not.toContain(String(portDefaults.console))
  const held = await hold(portDefaults.console)
  const serving = spawn(process.execPath, [bin, 'console', '--print', '--json'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = await once(createInterface(serving.stdout), 'line') as [string]
    const { url, link } = JSON.parse(line) as { url: string; link: string }
    const reply = await fetch(`${url}/api/login`, { method: 'POST', body: JSON.stringify({ link: link.split('#')[1] }) })
    const cookie = reply.headers.get('set-cookie')!.split(';')[0]!
    const { status } = await (await fetch(`${url}/api/live`, { headers: { cookie } })).json() as { status: { nodes: object[] } }
    expect(status.nodes).toHaveLength(3)
  } finally {
    serving.kill('SIGTERM')
    await once(serving, 'close')
    held.close()
  }
})

test('serve runs the embedded cluster with a gateway; its files are those of every command', async () => {
  const serve = new ServerProcess({ role: 'serve', args: ['--webhdfs', '0'], env })
  try {
    const { address } = await serve.ready()
    const url = `http://${address}/webhdfs/v1/f?op=CREATE&user.name=ada`
    expect((await fetch(url, { method: 'PUT', body: 'served' })).status).toBe(201)
    expect(await ok('cat', '/f')).toBe('served')
  } finally {
    await serve.end('SIGTERM')
  }
  expect(serve.ended).toBe('exit code 0')
  expect(await ok('cat', '/f')).toBe('served')
})
