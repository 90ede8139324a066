// Commands that wait for the cluster's background work: their output meanwhile, and the conditions that end them. Time is simulated: each
// poll of the cluster returns the next of a list of replies, and sleeping moves the clock.

import { expect, test } from 'vitest'
import { waitingNotes } from '../../../../client/cli/bootstrap.ts'
import { address, nodeId } from '../../../../src/base/ids.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { FakeMill, runFake, type Given } from './fake.ts'

const node = { node: nodeId('n1'), address: address('10.0.0.7:8621'), state: 'live' }
const draining = (remaining: number, blocks = 340) => ({
  nodes: [{ ...node, service: remaining === 0 ? 'decommissioned' : 'decommissioning', held: { blocks, remaining } }],
})
const gone = new GristmillError('UNAVAILABLE', 'cannot reach the namenode')
const frozen = new GristmillError('TIMEOUT', 'the namenode did not answer')

/** A cluster with these replies; the last one repeats. An error is thrown. */
class Answering extends FakeMill {
  readonly #answers: unknown[]
  looks = 0

  constructor(answers: readonly unknown[]) {
    super({ '/a': 'a', '/b': 'b' })
    this.#answers = [...answers]
    Object.assign(this.nodes, { decommission: async () => draining(340).nodes[0] })
  }

  #next(): unknown {
    this.looks++
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0]
    if (answer instanceof Error) throw answer
    return answer
  }

  async clusterStatus(): Promise<unknown> { return this.#next() }
  async safeMode(): Promise<unknown> { return this.#next() }
}

/** A clock on which each sleep takes `slow` times its length. */
function timed(slow = 1): Given & { passed(): number } {
  let ms = 0
  return { clock: { now: () => ms, mono: () => ms, sleep: async (sleepMs: number) => { ms += slow * sleepMs } }, passed: () => ms }
}

test('a command that waits for the namenode tells each reason once, at most ten of them', () => {
  const notes: string[] = []
  const onWait = waitingNotes({ note: text => notes.push(text) })
  for (const message of ['not yet', 'not yet', 'no \u001b[31mroom', 'not yet']) onWait(new GristmillError('SAFE_MODE', message))
  expect(notes[0]).toBe('waiting: not yet')
  expect(notes).toHaveLength(2)
  expect(notes[1]).not.toContain('\u001b')
  for (let i = 0; i < 100; i++) onWait(new GristmillError('SAFE_MODE', `${i} datanodes are awaited`))
  expect(notes).toHaveLength(10)
})

test('fsck of a namenode that is behind says so at once, and nothing of datanodes that have not reported', async () => {
  const given = timed()
  const mill = Object.assign(new Answering([{ on: true, manual: false, blocks: 9, present: 0, awaited: 2, behind: 'an old copy' }]), {
    fsck(): never { throw new GristmillError('STALE_EPOCH', 'an old copy') },
  })
  const seen = await runFake(mill, ['fsck'], given)
  expect([seen.code, seen.err, given.passed()]).toEqual([1, 'gristmill: fsck: /: an old copy\n', 0])
})

test('without a terminal, waiting reports every ten seconds the progress and the time left', async () => {
  const given = timed()
  const remaining = Array.from({ length: 120 }, (_, i) => draining(340 - 2 * i))
  const seen = await runFake(new Answering([...remaining, draining(0)]), ['decommission', '10.0.0.7:8621', '--wait'], given)
  expect(seen.code).toBe(0)
  expect(seen.out).toBe('10.0.0.7:8621 is decommissioned: it can be switched off\n')
  const lines = seen.err.trim().split('\n')
  expect(lines[0]).toMatch(/^10\.0\.0\.7:8621: 2\d\d of 340 blocks left, \d+ s$/)
  expect(lines).toHaveLength(Math.floor(given.passed() / 10_000))
  expect(
    (await runFake(new Answering([...remaining, draining(0)]), ['decommission', '10.0.0.7:8621', '--wait', '--quiet'], timed())).err,
  ).toBe('')
  expect(
    (await runFake(new Answering([...remaining, draining(0)]), ['decommission', '10.0.0.7:8621', '--wait', '--json'], timed())).err,
  ).toBe('')
})

test('a namenode that restarts or hangs does not end the waiting, which reports it', async () => {
  const seen = await runFake(
    new Answering([draining(340), gone, frozen, gone, draining(12), draining(0)]),
    ['decommission', 'n1', '--wait'], timed(),
  )
  expect(seen.code).toBe(0)
  expect(seen.err).toBe('10.0.0.7:8621: the namenode does not answer; waiting for it\n10.0.0.7:8621: the namenode is available again\n')
})

test('a namenode that stays away is given up after five minutes', async () => {
  const given = timed()
  const seen = await runFake(new Answering([draining(340), gone]), ['decommission', 'n1', '--wait'], given)
  expect([seen.code, seen.out]).toEqual([69, ''])
  expect(given.passed()).toBeGreaterThanOrEqual(300_000)
  expect(given.passed()).toBeLessThan(310_000)
})

test('an operator who puts the node back into service ends the waiting', async () => {
  const back = { nodes: [{ ...node, service: 'in-service' }] }
  expect(await runFake(new Answering([draining(340), back]), ['decommission', 'n1', '--wait'], timed())).toMatchObject({
    out: '', err: expect.stringContaining('10.0.0.7:8621 was put back into service meanwhile'),
  })
})

test('safemode wait waits for a namenode that is still being started, and no longer than --timeout', async () => {
  const on = { on: true, manual: false, blocks: 10, present: 4, awaited: 1 }
  const off = { on: false, manual: false, blocks: 10, present: 10, awaited: 0 }
  expect(await runFake(new Answering([gone, gone, on, off]), ['safemode', 'wait'], timed())).toMatchObject({ code: 0, out: 'off\n' })
  const given = timed()
  expect(await runFake(new Answering([on]), ['safemode', 'wait', '--timeout', '30s'], given)).toMatchObject({
    code: 75,
    err: expect.stringContaining('still in safe mode after 30.0 s: replicas of 4 of 10 blocks are known, 1 datanode has not reported'),
  })
  expect(given.passed()).toBeLessThan(31_000)
  expect((await runFake(new Answering([gone]), ['safemode', 'wait', '--timeout', '30s'], timed())).code).toBe(69)
  // All datanodes have reported, and blocks are still missing: only an operator can act.
  expect((await runFake(new Answering([{ ...on, awaited: 0 }]), ['safemode'])).out).toBe(
    'on: replicas of 4 of 10 blocks are known, and all datanodes have reported; if the missing blocks (see gristmill fsck) are lost for good, gristmill safemode leave ends it\n',
  )
})

test.each([
  ['maintenance', 'n1', '--for', '30'], ['maintenance', 'n1', '--for', '0s'], ['maintenance', 'n1', '--for', '40d'],
  ['balance', '--bandwidth', '0'], ['balance', '--threshold', '101'],
])('%s %s %s %s means nothing and is not understood', async (...words) => {
  const seen = await runFake(
    new Answering([gone]), words.filter(word => word !== undefined),
  )
  expect(seen).toMatchObject({ code: 2, out: '' })
  expect(seen.err).toMatch(/write for instance/)
})

/** A cluster with a given result of fsck. */
class Checked extends FakeMill {
  readonly #found: Partial<Record<string, number>>
  constructor(found: Partial<Record<string, number>>) {
    super({ '/a': 'a', '/b': 'b' })
    this.#found = found
  }
  async safeMode(): Promise<unknown> { return { on: false, manual: false, blocks: 2, present: 2, awaited: 0 } }
  differences: unknown[] | 'EACCES' = []
  kept: { readonly files?: number; readonly directories?: number } = {}
  async recount(): Promise<unknown> {
    if (this.differences === 'EACCES') throw new GristmillError('EACCES', 'no')
    return { seq: 1, differences: this.differences, more: 0, ...this.kept }
  }
  async *fsck(path: string): AsyncGenerator<unknown> {
    await this.status(path)
    yield {
      files: [],
      counts: {
        files: 1, directories: 0, blocks: 1, bytes: 1, replicas: 3, missing: 0, corrupt: 0, under: 0, over: 0, misplaced: 0, unread: 0,
        ...this.#found,
      },
    }
  }
}

test('fsck says nothing of what it could not look at, and its exit code tells the worst that is known', async () => {
  const nowhere = await runFake(new Checked({}), ['fsck', '/nope'])
  expect(nowhere).toMatchObject({ code: 1, out: '', err: 'gristmill: fsck: /nope: no such file or directory\n' })
  expect(await runFake(new Checked({}), ['fsck', '/nope', '--json'])).toMatchObject({ code: 1, out: '' })
  expect(await runFake(new Checked({}), ['fsck', '/a'])).toMatchObject({ code: 0, out: expect.stringContaining('healthy') })
  expect(await runFake(new Checked({}), ['fsck', '/a', '/nope'])).toMatchObject({ code: 1, out: expect.stringMatching(/^files +1\n/) })
  expect((await runFake(new Checked({ under: 1 }), ['fsck', '/a'])).code).toBe(3)
  expect(await runFake(new Checked({ unread: 1 }), ['fsck', '/a'])).toMatchObject({
    code: 1, out: expect.stringMatching(/^not checked +1 directory that you may not read\n\nhealthy as far as you may read/m),
  })
  expect((await runFake(new Checked({ unread: 1, missing: 1 }), ['fsck', '/a'])).code).toBe(4)
  expect((await runFake(new Checked({ under: 1 }), ['fsck', '/nope', '/a'])).code).toBe(1)
  expect((await runFake(new Checked({ corrupt: 1 }), ['fsck', '/nope', '/a'])).code).toBe(4)
})

test('fsck says which blocks want more replicas than there are datanodes, which the namenode cannot repair', async () => {
  const block = { block: 1, length: 9, health: 'under', live: 2, leaving: 0 }
  const file = (path: string, target: number) => ({
    path, id: 1, length: 9, replication: target, blocks: 1, continued: false, found: [{ ...block, target }],
  })
  const short = (targets: number[], nodes: object[]) => new (class extends Checked {
    async clusterStatus(): Promise<never> { return { nodes } as never }
    override async *fsck(path: string): AsyncGenerator<unknown> {
      for await (const page of super.fsck(path)) yield { ...page as object, files: targets.map((target, i) => file(`/f${i}`, target)) }
    }
  })({ under: targets.length })
  const [live, leaving, dead] = [{ state: 'live' }, { state: 'live', service: 'decommissioning' }, { state: 'dead' }]
  expect((await runFake(short([3], [live, live, leaving, dead]), ['fsck', '/a'])).out).toContain(
    'degraded: all data is readable, but 1 block wants up to 3 replicas, and 2 datanodes are in service: add datanodes, or lower the replication of these files (gristmill setrep -R 2 PATH)\n',
  )
  expect((await runFake(short([3, 4, 2], [live, live]), ['fsck', '/a'])).out)
    .toMatch(/2 blocks want up to 4 .*; the namenode is repairing the others\n/)
  expect((await runFake(short([3], [live, live, live]), ['fsck', '/a'])).out).toContain('the namenode is repairing the replicas\n')
  const json = (await runFake(short([3], [live]), ['fsck', '/a', '--json'])).out.trim().split('\n').at(-1)!
  expect(JSON.parse(json)).toMatchObject({ health: 'degraded', short: { blocks: 1, replicas: 3, datanodes: 1 } })
})

test('fsck names the directories of the system whose files want more replicas than there are datanodes: setrep of / does not reach them', async () => {
  const file = (path: string, target: number) => ({
    path, id: 1, length: 9, replication: target, blocks: 1, continued: false,
    found: [{ block: 1, length: 9, health: 'under', live: 2, leaving: 0, target }],
  })
  const outOf = async (...files: object[]): Promise<string> => {
    const mill = new (class extends Checked {
      async clusterStatus(): Promise<never> { return { nodes: [{ state: 'live' }, { state: 'live' }] } as never }
      override async *fsck(path: string): AsyncGenerator<unknown> {
        for await (const page of super.fsck(path)) yield { ...page as object, files }
      }
    })({ under: files.length })
    return (await runFake(mill, ['fsck', '/a'])).out
  }
  const program = file('/.gristmill/programs/a.js', 3)
  expect(await outOf(program, program, file('/.gristmill/jobs/j/output/p', 2)))
    .toContain('lower the replication of these files (gristmill setrep -R 2 /.gristmill/programs)')
  expect(await outOf(program, file('/f', 4), file('/.gristmill/trash/ada/f', 3)))
    .toContain('(gristmill setrep -R 2 PATH; gristmill setrep -R 2 /.gristmill/programs /.gristmill/trash)')
  expect(await outOf(file('/.gristmillx/f', 3))).toContain('(gristmill setrep -R 2 PATH)')
})

test('fsck names the command that starts datanodes of `up` in this home that have ended', async () => {
  const mill = new Checked({ missing: 1 })
  const running = {
    format: 1, namenode: 'mill:1', cluster: 'c', secretFile: '/s', dir: '/d',
    processes: [{ role: 'namenode', pid: 1, born: 'b', dir: '/n' }, { role: 'datanode', pid: 2, born: 'b', dir: '/1' }],
  }
  const disk = { stat: async () => undefined, readFile: async () => Buffer.from(JSON.stringify(running)) } as never
  const fsck = (born: (pid: number) => string | undefined) => runFake(mill, ['fsck', '/a'], { disk, born })
  expect((await fsck(pid => (pid === 1 ? 'b' : 'another'))).out).toContain('1 datanode of this cluster has ended: gristmill up --detach starts it again')
  expect((await fsck(() => 'b')).out).toContain('data is missing; bring back the datanodes or disks that have it')
})

test('fsck of the whole namespace compares the namenode\'s totals, and a difference has the exit code of other findings', async () => {
  const mill = new Checked({})
  expect(await runFake(mill, ['fsck'])).toMatchObject({ code: 0, out: expect.stringMatching(/^totals of the namenode +right$/m) })
  expect((await runFake(mill, ['fsck', '/a'])).out).toMatch(/^totals of the namenode +not compared: .*gristmill fsck \/\)$/m)
  mill.differences = 'EACCES'
  expect(await runFake(mill, ['fsck', '/'])).toMatchObject({
    code: 0, out: expect.stringMatching(/^totals of the namenode +not compared: only the superuser may$/m),
  })
  mill.differences = [
    { what: 'files', kept: 12_000, found: 3 }, { what: 'names under a quota', kept: 1, found: 2, path: '/a' },
  ]
  const seen = await runFake(mill, ['fsck'])
  expect(seen).toMatchObject({ code: 3, out: expect.stringMatching(/^totals of the namenode +2 differences\n\ninconsistent: /m) })
  expect(seen.out).toContain('files: the namenode keeps 12,000, and there are 3\n/a: names under a quota: the namenode keeps 1, and there are 2\n')
  const json = (await runFake(mill, ['fsck', '--json'])).out.trim().split('\n').map(line => JSON.parse(line) as object)
  expect(json).toEqual([
    { difference: { what: 'files', kept: 12_000, found: 3 } },
    { difference: { what: 'names under a quota', kept: 1, found: 2, path: '/a' } },
    expect.objectContaining({ health: 'inconsistent', totals: '2 differences' }),
  ])
})

test('fsck names the files and directories that status counts and that no path of the namespace has', async () => {
  const mill = new Checked({ files: 10, directories: 24 })
  const lineOf = async (...operands: string[]) =>
    /^counted by status only +(.*)$/m.exec((await runFake(mill, ['fsck', ...operands])).out)?.[1]
  for (const kept of [{}, { files: 10, directories: 24 }, { files: 9, directories: 20 }]) {
    mill.kept = kept
    expect(await lineOf()).toBeUndefined()
  }
  mill.kept = { files: 11, directories: 25 }
  expect(await lineOf()).toMatch(/^1 file, 1 directory: of snapshots, /)
  expect(await lineOf('/a')).toBeUndefined()
  // The sum over several paths says nothing of what there is.
  expect(await lineOf('/', '/a')).toBeUndefined()
  expect(JSON.parse((await runFake(mill, ['fsck', '--json'])).out)).toMatchObject({ unnamed: { files: 1, directories: 1 } })
  mill.kept = { files: 10, directories: 26 }
  expect(await lineOf()).toMatch(/^2 directories: of/)
  const partly = new Checked({ unread: 1 })
  partly.kept = { files: 10, directories: 26 }
  expect((await runFake(partly, ['fsck'])).out).not.toContain('counted by status only')
})

/** Three nodes; each poll of a file gives it one replica more. */
class Copying extends FakeMill {
  readonly replicas = new Map<string, number>()
  statuses = 0
  async setReplication(path: string): Promise<void> { this.replicas.set(path, 0) }
  async clusterStatus(): Promise<unknown> {
    this.statuses++
    return { nodes: ['n1', 'n2', 'n3'].map(id => ({ ...node, node: nodeId(id) })) }
  }
  async *locate(path: string): AsyncGenerator<unknown> {
    await this.status(path)
    const held = this.replicas.get(path)! + 1
    this.replicas.set(path, held)
    if (path === '/2') this.nodes.delete('/3')
    yield { nodes: ['n1', 'n2', 'n3'].slice(0, held).map(id => ({ node: nodeId(id) })) }
  }
}

test('setrep waits for file after file, asks for the nodes once a look, and forgets what is removed meanwhile', async () => {
  const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`/${i}`, 'x']))
  const mill = new Copying(files)
  const seen = await runFake(mill, ['setrep', '-w', '1', ...Object.keys(files)], timed())
  expect(seen).toMatchObject({ code: 0, out: '', err: '' })
  expect(mill.replicas.size).toBe(40)
  expect(mill.nodes.has('/3')).toBe(false)
  expect(mill.statuses).toBeLessThan(5)
  const three = new Copying(files)
  expect((await runFake(three, ['setrep', '-w', '3', '/1'], timed())).code).toBe(0)
  expect(three.replicas.get('/1')).toBe(3)
})

test('setrep tells a person who asks for more replicas than there are datanodes', async () => {
  const more = await runFake(new Copying({ '/1': 'x' }), ['setrep', '4', '/1'], timed())
  expect(more).toMatchObject({
    code: 0,
    err: 'gristmill: setrep: 4 replicas need as many datanodes, and 3 are live and in service: the missing replicas are made when more datanodes join\n',
  })
  // Output for programs is on stdout, and stays whole.
  expect(await runFake(new Copying({ '/1': 'x' }), ['setrep', '4', '/1', '--json'], timed())).toMatchObject({
    code: 0, out: '{"path":"/1","replication":4}\n', err: more.err,
  })
  expect(await runFake(new Copying({ '/1': 'x' }), ['setrep', '-w', '4', '/1'], timed())).toMatchObject({
    code: 1, err: expect.stringContaining('not waiting'),
  })
})
