// Operator's actions against data loss, on real processes: the commands of the guides, and a namenode whose disk is damaged. Each
// result is as documented.

import fs from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until, type Result, type TestCluster } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

interface Checked {
  health?: string
  file?: { path: string; found: { health: string; live: number; target: number }[] }
  files?: number
  missing?: number
  under?: number
}

async function fsck(cluster: TestCluster, ...args: string[]): Promise<{ code: number; lines: Checked[]; summary: Checked }> {
  const { code, stdout, stderr } = await cluster.run(['fsck', '--json', ...args])
  if (stdout === '') throw new Error(stderr)
  const lines = stdout.trim().split('\n').map(line => JSON.parse(line) as Checked)
  return { code, lines, summary: lines.at(-1)! }
}

/** Commands of a guide's shell blocks, in order, with this machine's directories. */
async function commandsOf(guide: string, places: Readonly<Record<string, string>>): Promise<string[][]> {
  const text = await fs.readFile(join(root, `docs/guide/${guide}.md`), 'utf8')
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(match => match[1]!.trim().split('\n')).map(line => {
    expect(line).toMatch(/^gristmill /)
    return line.split(' ').slice(1).map(word => places[word] ?? word)
  })
}

/** Offsets of the ends of rows with a name in their key, in a store's file; there are their checksums. */
function namedRows(file: Buffer): number[] {
  const found: number[] = []
  for (let page = 2 * 4096; page < file.length; page += 4096) {
    if (file.readUInt16LE(page + 18) !== 2) continue
    for (let i = 0; i < file.readUInt16LE(page + 20) / 2; i++) {
      const at = page + 24 + file.readUInt16LE(page + 24 + 2 * i)
      const keyBytes = file.readUInt16LE(at + 6)
      if (file.readUInt16LE(at + 4) === 0 && keyBytes > 8) found.push(at + 8 + keyBytes + file.readUInt16LE(at) - 1)
    }
  }
  return found
}

test('the operators\' guide: every command does what it says, and fsck tells healthy, degraded and damaged apart', async () => {
  await using cluster = await startClusterHere({
    datanodes: 2,
    settings: { GRISTMILL_REPLICATION: '2', GRISTMILL_HEARTBEAT: '200ms', GRISTMILL_NODE_STALE: '800ms', GRISTMILL_NODE_DEAD: '2500ms' },
  })
  await cluster.ok(['mkdir', '/logs'])
  await cluster.ok(['put', '-', '/logs/a'], 'one\ntwo\n')
  await cluster.ok(['put', '-', '/logs/b'], 'three\n')
  await cluster.ok(['touch', '/empty'])
  await until('both blocks have two replicas', async () => (await fsck(cluster)).code === 0)
  const outputs: Result[] = []
  for (const command of await commandsOf('operators', {})) outputs.push(await cluster.run(command))
  expect(outputs.map(({ code }) => code)).toEqual(outputs.map(() => 0))
  const [plain, detailed, report, safe, , entered, left] = outputs as [Result, Result, Result, Result, Result, Result, Result]
  expect(plain.stdout).toMatch(/files +3\n[\s\S]*healthy: every block has its replicas\n$/)
  expect(plain.stdout).not.toContain('/logs/a')
  expect(detailed.stdout).toMatch(
    /^\/logs\/a: 8 bytes, 1 block, 2 replicas\n {2}[0-9a-f]{16} {2}8 bytes {2}healthy \(2 of 2\) {2}\/default\/127\.0\.0\.1:\d+ \/default\/127\.0\.0\.1:\d+$/m,
  )
  expect(report.stdout).toMatch(/^datanodes +2: 2 live$/m)
  expect(report.stdout.match(/^ {2}\/.* good$/gm)).toHaveLength(2)
  expect([safe.stdout, left.stdout]).toEqual(['off\n', 'off\n'])
  expect(entered.stdout).toMatch(/^on: entered by an operator/)

  // In safe mode, reads work and changes are refused.
  await cluster.ok(['safemode', 'enter'])
  expect(await cluster.ok(['cat', '/logs/a'])).toBe('one\ntwo\n')
  // A message that applies to every path is printed once, and the exit code means "temporary".
  const held = await cluster.run(['rm', '/logs/a', '/logs/b'])
  expect(held).toMatchObject({ code: 75, stderr: expect.stringContaining('safemode leave') })
  expect(held.stderr.trim().split('\n')).toHaveLength(1)
  expect(await cluster.ok(['status'])).toMatch(/health +safe mode, entered by an operator/)
  expect(await cluster.run(['safemode', 'wait', '--timeout', '100ms'])).toMatchObject({ code: 75 })
  await cluster.ok(['safemode', 'leave'])
  expect(await cluster.ok(['ls', '/logs'])).toContain('b')

  await cluster.datanodes[0]!.kill()
  const degraded = await until('the namenode misses the datanode', async () => {
    const found = await fsck(cluster)
    return found.code !== 0 && found
  })
  expect(degraded).toMatchObject({ code: 3, summary: { health: 'degraded', under: 2, missing: 0 } })
  expect(degraded.lines[0]).toMatchObject({ file: { path: '/logs/a', found: [{ health: 'under', live: 1, target: 2 }] } })
  await cluster.datanodes[1]!.kill()
  const damaged = await until('the namenode misses both', async () => {
    const found = await fsck(cluster, '/logs')
    return found.code === 4 && found
  })
  expect(damaged.summary).toMatchObject({ health: 'damaged', files: 2, missing: 2 })
  expect(await cluster.run(['fsck', '/nowhere'])).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('no such file') })
})

test('the guide to backups: a namenode whose store goes bad ends rather than answer, and has everything back after a recovery', async () => {
  await using cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  const { dir, namenode } = cluster
  await cluster.ok(['put', '-', '/before'], 'before\n')
  const backups = join(dir, 'mnt')
  const [backup, look, recover] = (await commandsOf('backup', { '/mnt/backups': backups })) as [string[], string[], string[]]
  expect(await cluster.ok(backup)).toMatch(/every value checked\n$/)
  await cluster.ok(['put', '-', '/after'], 'after\n')
  await cluster.ok(['mkdir', '/d'])

  // A namenode that finds damage while it runs ends as well: one bit of the checksum of every name.
  const store = join(namenode.dir, 'store/data.mdb')
  const sound = await fs.readFile(store)
  const sums = namedRows(sound)
  const handle = await fs.open(store, 'r+')
  for (const at of sums) await handle.write(Buffer.from([sound[at]! ^ 1]), 0, 1, at)
  expect(await cluster.run(['ls', '/'])).not.toMatchObject({ code: 0 })
  await until('the namenode has ended', async () => !namenode.running)
  expect(namenode.errors).toContain('gristmill namenode recover')
  for (const at of sums) await handle.write(Buffer.from([sound[at]!]), 0, 1, at)
  await handle.close()
  await namenode.start()
  expect(await cluster.ok(['ls', '/'])).toContain('after')

  // The directory of a running namenode is not recovered.
  const here = ['--dir', namenode.dir]
  expect(await cluster.run([...recover, ...here])).toMatchObject({ code: 73 })
  await namenode.kill()
  // Every page but the heads: each read finds damage.
  const file = join(namenode.dir, 'store/data.mdb')
  const bytes = await fs.readFile(file)
  for (let at = 2 * 4096; at < bytes.length; at += 512) bytes[at + 17]! ^= 0xff
  await fs.writeFile(file, bytes)
  await expect(namenode.start()).rejects.toThrow(/74\)[\s\S]*gristmill namenode recover/)

  const planned = await cluster.run([...look, ...here])
  expect(planned).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /^the namenode of \S+\ndamaged: [\s\S]*would be rebuilt from the backup [\s\S]*nothing is lost\nnothing was changed/,
    ),
  })
  expect(await fs.readdir(namenode.dir)).not.toContain('damaged-1')
  expect(await cluster.run([...recover, ...here])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/rebuilt from the backup [\s\S]*confirmed by a second recovery path[\s\S]*epoch is 4/),
  })
  await namenode.start()
  await until('the datanode is back', async () => (await cluster.run(['cat', '/after'])).code === 0)
  expect(await cluster.ok(['cat', '/before', '/after'])).toBe('before\nafter\n')
  expect(await cluster.ok(['ls', '/'])).toContain('d')
  expect((await fsck(cluster)).code).toBe(0)
  expect(JSON.parse(await cluster.ok(['status', '--json']))).toMatchObject({ cluster: { epoch: 5 } })
  expect(await cluster.run(['namenode', 'backup', join(root, 'docs')])).toMatchObject({
    code: 78,
    stderr: expect.stringContaining('is not a directory of backups'),
  })
})
