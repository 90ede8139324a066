// Guide to plain HTTP, command by command: with curl, a block of a file is read and a file is written.

import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import { until } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

const tools = ['curl', 'openssl', 'jq'].every(tool => spawnSync(tool, ['--version']).error === undefined)

test.skipIf(!tools)('the guide to blocks with curl', async () => { // because not every machine has curl, openssl and jq
  await using cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_REPLICATION: '2' } })
  const guide = await readFile(join(root, 'docs/guide/http.md'), 'utf8')
  const script = [...guide.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(match => match[1]!).join('')
    .replace('127.0.0.1:8620', cluster.namenode.address).replace('~/.gristmill/cluster/secret', `'${cluster.secretFile}'`)
  expect(script).toContain(cluster.namenode.address)
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-http-'))
  try {
    await cluster.ok(['put', '-', '/grain.csv'], 'rye,1\noats,2\n')
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: dir, env: { PATH: process.env['PATH'] },
    })
    expect(stdout).toMatch(/^rye,1\n\{"path":"\/hand\.txt",.*"length":16,/)
    expect(await cluster.ok(['cat', '/hand.txt'])).toBe('written by hand\n')
    // One replica was sent; the cluster makes the other.
    const status = async () => (JSON.parse(await cluster.ok(['status', '--json'])) as { cluster: ClusterStatus }).cluster
    await until('the second copy is there', async () => (await status()).underReplicated === 0)
    const located = JSON.parse(await cluster.ok(['stat', '--blocks', '--json', '/hand.txt'])) as { located: { nodes: unknown[] }[] }
    expect(located.located.map(block => block.nodes.length)).toEqual([2])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
