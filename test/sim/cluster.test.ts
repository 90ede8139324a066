// Simulated cluster as a user of the kit sees it, under the user's test runner: every method and option of test/kit/contract.ts is used
// once.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Cluster } from '../kit/index.ts'
import { startSim, type SimCluster, type SimOptions } from '../kit/sim/cluster.ts'

const dir = await mkdtemp(join(tmpdir(), 'gristmill-test-'))
afterAll(() => rm(dir, { recursive: true, force: true }))

const text = Array.from({ length: 4000 }, (_, i) => `line ${i} of the harvest\n`).join('')
const start = (options: SimOptions = {}): Promise<SimCluster> =>
  startSim({ ...options, settings: { blockSize: '16KiB', ...options.settings } })

/** Writes a program with this text; it is compiled as a user's program is. */
async function program(name: string, body: string): Promise<string> {
  const file = join(dir, `${name}.ts`)
  await writeFile(file, `import { mapReduce } from 'gristmill'\nexport default mapReduce<string, string, number>({\n${body}\n})\n`)
  return file
}

const countWords =
  "map(line, emit) { for (const word of line.split(' ')) emit(word, 1) },\nreduce(word, counts, emit) { let sum = 0; for (const count of counts) sum += count; emit(word, sum) },"

test('a file outlives two of its three datanodes, and minutes pass in a moment', async () => {
  await using cluster = await Cluster.start({ mode: 'sim', seed: 5, settings: { blockSize: '16KiB' } })
  const { mill, datanodes } = cluster
  await mill.writeFile('/harvest.txt', text)
  await datanodes[0]!.kill()
  await datanodes[1]!.powerCut()
  expect((await mill.readFile('/harvest.txt')).toString()).toBe(text)
  await datanodes[0]!.start()
  await datanodes[1]!.start()
  await cluster.advance(600_000)
  await cluster.waitQuiet()
  expect(String(await cluster.check())).toBe('all invariants hold')
})

test('the namenode\'s power is cut, it is frozen, cut off and restarted, and nothing that was acknowledged is lost', async () => {
  await using cluster = await start({ seed: 6 })
  const { mill, namenode, datanodes } = cluster
  for (const [i, break_] of [
    () => namenode.powerCut().then(() => namenode.start()),
    () => namenode.restart(),
    async () => { namenode.pause(); await cluster.advance(5_000); namenode.resume() },
    async () => { cluster.cut(namenode, datanodes[0]!, { oneWay: true }); await cluster.advance(20_000); cluster.heal() },
    async () => { await namenode.failpoint('journal.commit.before', 'kill'); await cluster.advance(100) },
  ].entries()) {
    await mill.writeFile(`/file${i}`, `${i} ${text}`)
    await break_()
  }
  const writing = mill.writeFile('/in-doubt', text)
  await cluster.advance(5_000)
  expect(namenode.running).toBe(false)
  await namenode.start()
  await writing
  await cluster.waitQuiet()
  for (let i = 0; i < 5; i++) expect((await mill.readFile(`/file${i}`)).toString()).toBe(`${i} ${text}`)
  expect(String(await cluster.check())).toBe('all invariants hold')
})

test('older versions of objects are files to the verdict: their blocks are theirs, and damage to them is told', async () => {
  await using cluster = await start({ seed: 8 })
  const { mill, datanodes } = cluster
  await mill.mkdir('/bucket')
  await mill.objects.versioning('/bucket', 'Enabled')
  for (const content of [text, `${text}again`]) {
    const writer = await mill.objects.open()
    await writer.write(Buffer.from(content))
    await writer.publish('/bucket/harvest', { base: '/bucket' })
  }
  await cluster.waitQuiet()
  expect(String(await cluster.check())).toBe('all invariants hold')
  const [older] = (await mill.objects.versions('/bucket')).entries.filter(({ latest }) => !latest)
  const [block] = await Array.fromAsync(mill.locate(older!.status!.path))
  const replica = (await datanodes[0]!.replicas()).find(each => each.block === block!.id.toString(16).padStart(16, '0'))
  await replica!.damage('flip')
  expect((await cluster.check()).broken.join()).toContain(`of ${older!.status!.path} is bad on`)
})

test('a damaged replica is looked past by readers and replaced, and the verdict names what is not mended yet', async () => {
  await using cluster = await start({ seed: 7 })
  const { mill, datanodes } = cluster
  await mill.writeFile('/harvest.txt', text)
  await cluster.waitQuiet()
  const [replica] = await datanodes[0]!.replicas()
  await replica!.damage('flip')
  expect(await replica!.sound()).toBe(false)
  expect((await cluster.check()).broken.join()).toContain(replica!.block)
  expect((await (await cluster.connect({ hostName: 'datanode1' })).readFile('/harvest.txt')).toString()).toBe(text)
  await cluster.waitQuiet()
  expect(String(await cluster.check())).toBe('all invariants hold')
})

test('a job gives what it gives without faults while a node dies under it', async () => {
  const file = await program('words', countWords)
  const outputs = await Promise.all([false, true].map(async faulty => {
    await using cluster = await start({ seed: 8 })
    const { mill } = cluster
    await mill.mkdir('/in')
    await mill.writeFile('/in/harvest.txt', text)
    const job = await mill.run(file, { input: '/in', output: '/out', reducers: 2 })
    if (faulty) {
      await cluster.advance(60)
      await cluster.datanodes[2]!.kill()
    }
    await job.wait()
    const parts = (await mill.readdir('/out')).filter(name => name.startsWith('part')).sort()
    return await Promise.all(parts.map(async part => (await mill.readFile(`/out/${part}`)).toString()))
  }))
  expect(outputs[0]!.join('')).toContain('harvest\t4000')
  expect(outputs[1]).toEqual(outputs[0])
})

test('a program has as many replicas as any file, so that a cluster that loses a node for good can come to rest', async () => {
  await using cluster = await start({ seed: 10, datanodes: 4, settings: { replication: '2' } })
  const { mill, datanodes } = cluster
  await mill.mkdir('/in')
  await mill.writeFile('/in/harvest.txt', text)
  await (await mill.run(await program('counted', countWords), { input: '/in', output: '/out' })).wait()
  const [name] = await mill.readdir('/.gristmill/programs')
  expect((await mill.status(`/.gristmill/programs/${name}`)).replication).toBe(2)
  await datanodes[3]!.kill()
  await cluster.waitQuiet()
})

test('a namenode that starts on a full disk serves what is there, changes nothing, and raises its epoch once there is room', async () => {
  await using cluster = await start({ seed: 8 })
  const { mill, namenode } = cluster
  await mill.writeFile('/before', text)
  const { epoch } = await mill.clusterStatus()
  await namenode.kill()
  await namenode.fillDisk()
  await namenode.start()
  expect((await mill.readFile('/before')).toString()).toBe(text)
  await expect(mill.mkdir('/full')).rejects.toMatchObject({ code: 'ENOSPC', message: expect.stringContaining('full') })
  expect(await mill.clusterStatus()).toMatchObject({ epoch, safeMode: true })
  await namenode.healDisks()
  await cluster.advance(5_000)
  expect((await mill.clusterStatus()).epoch).toBe(epoch + 1)
  await mill.mkdir('/after')
  await cluster.waitQuiet()
  expect(String(await cluster.check())).toBe('all invariants hold')
})

test('a namenode that is in doubt or behind writes nothing, and forgets no datanode, however long the datanodes are gone', async () => {
  await using cluster = await start({ seed: 14 })
  const { mill, namenode, datanodes } = cluster
  const copy = namenode.copyDisk()
  await mill.mkdir('/later')
  await cluster.advance(5_000)
  // No datanode is registered: ten minutes after its death a datanode would be forgotten.
  for (const node of datanodes) await node.kill()
  await namenode.restart()
  await cluster.advance(5_000)
  const { seq } = namenode.copyDisk()
  await cluster.advance(1_200_000)
  expect([namenode.copyDisk().seq, (await mill.clusterStatus()).doubt]).toEqual([seq, expect.stringContaining('none of the 3 datanodes')])

  await namenode.kill()
  namenode.useDisk(copy)
  await namenode.start()
  // A datanode that is refused does not start.
  await datanodes[0]!.start().catch(() => {})
  await cluster.advance(5_000)
  const behind = namenode.copyDisk().seq
  await cluster.advance(1_200_000)
  expect([namenode.copyDisk().seq, (await mill.clusterStatus()).behind]).toEqual([behind, expect.stringContaining('namenode recover')])
})

test('a namenode that stands still for longer than a dead node is silent takes no datanode for dead', async () => {
  const lines: string[] = []
  await using cluster = await start({ seed: 11, onLog: line => lines.push(line) })
  await cluster.mill.writeFile('/harvest.txt', text)
  await cluster.namenode.stall(30_000)
  await cluster.advance(10_000)
  // The same with a slow disk of the namenode: it syncs the journal before each reply.
  await cluster.namenode.slowSync({ ms: 15_000 })
  await cluster.mill.mkdir('/made')
  await cluster.namenode.healDisks()
  await cluster.advance(10_000)
  expect(lines.filter(line => line.includes('this namenode was paused'))).not.toEqual([])
  expect(lines.filter(line => /is dead|has registered/.test(line) && Number.parseFloat(line) > 5_000)).toEqual([])
})

test('a namenode that stands still for longer than a lease may be silent ends no lease', async () => {
  await using cluster = await start({ seed: 13, settings: { leaseSoft: '16s', leaseHard: '20s' } })
  const stream = cluster.mill.createWriteStream('/harvest.txt')
  await new Promise<void>((resolve, reject) => { stream.write(text, error => { if (error) reject(error); else resolve() }) })
  await cluster.advance(5_000)
  await cluster.namenode.stall(60_000)
  await cluster.advance(10_000)
  await new Promise<void>((resolve, reject) => { stream.on('error', reject).on('close', resolve).end() })
  expect(await cluster.mill.readFile('/harvest.txt', 'utf8')).toBe(text)
})

test('disks that are slow to sync, and event loops that stand still for a while, cost no replica', async () => {
  const lines: string[] = []
  await using cluster = await start({ seed: 12, onLog: line => lines.push(line) })
  const { mill, datanodes: [one, two] } = cluster
  for (const i of [1, 2, 3]) {
    await one!.slowSync({ ms: 4_000 })
    const running = two!.stall(2_000)
    const startedMs = cluster.now
    await mill.writeFile(`/file${i}`, text)
    expect(cluster.now - startedMs).toBeGreaterThan(4_000)
    await running
    await one!.healDisks()
  }
  await cluster.waitQuiet()
  expect(lines.filter(line => /does not store a block|downstream members are lost|a pipeline failed|a copy was ordered/.test(line))).toEqual([])
})

test.each([
  ['throws', 'map() { throw new Error(\'chaff\') },', /chaff/],
  ['ends its process', 'map() { process.exit(3) },', /process\.exit/],
  ['never ends', 'async map() { await new Promise(() => {}) },', /time limit/],
  ['looks at the real clock', 'map(line, emit) { emit(line, Date.now()) },', /Date\.now/],
])('a program that %s fails its job, not the simulation', async (name, body, why) => {
  const cluster = await start({ seed: 9 })
  try {
    await cluster.mill.mkdir('/in')
    await cluster.mill.writeFile('/in/harvest.txt', 'a line\n')
    const job = await cluster.mill.run(await program(name.replaceAll(' ', '-'), body), {
      input: '/in', output: '/out', taskTimeoutMs: 60_000,
    })
    await expect(job.wait()).rejects.toThrow(why)
    await cluster.mill.writeFile('/after', text)
  } finally {
    await cluster.stop()
  }
})

test('settings of one datanode are that one\'s, an unknown one is refused, and clusters live side by side', async () => {
  await expect(async () => start({ settings: { blockSice: '1KiB' } })).rejects.toThrow(/blockSice/)
  const clusters = await Promise.all([1, 2].map(seed => start({ seed, datanodes: 2, nodeSettings: { 1: { slots: '4' } } })))
  try {
    for (const { mill, datanodes } of clusters) {
      const { nodes } = await mill.clusterStatus()
      expect(datanodes.map(({ id }) => nodes.find(({ node }) => node === id)!.slots)).toEqual([4, 1])
    }
    expect(clusters[0]!.trace.hash).not.toBe(clusters[1]!.trace.hash)
  } finally {
    for (const cluster of clusters) await cluster.stop()
  }
})
