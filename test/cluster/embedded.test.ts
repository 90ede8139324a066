// Embedded cluster with several real processes on one directory: the first runs the servers, the others use them, and the next takes over
// without loss of acknowledged data. A wrong or old directory is refused.

import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Embedded } from '../../client/embedded/embedded.ts'
import { open } from '../../client/index.ts'
import { localMachine } from '../../src/world/machine.ts'
import { realWorld } from '../../src/world/world.ts'
import { run, until } from '../kit/cluster.ts'
import { runHere } from './inprocess.ts'
import { Peer } from './peer.ts'

let home: string
let env: Record<string, string>
const children: Peer[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'gristmill-embedded-'))
  env = { PATH: process.env['PATH'] ?? '', HOME: home, GRISTMILL_HOME: home, NO_COLOR: '1', GRISTMILL_INLINE_BYTES: '0' }
})

afterEach(async () => {
  await Promise.all(children.splice(0).map(child => child.end()))
  await rm(home, { recursive: true, force: true })
})

function peer(dir = join(home, 'embedded')): Promise<Peer> {
  const child = new Peer(dir, env)
  children.push(child)
  return child.ready()
}

test('with nothing configured and nothing running a command works at once, and its result is there for the next one', async () => {
  // Only the first process prints the location of the data.
  expect(await run(['ls', '/'], env)).toEqual({
    code: 0, stdout: '',
    stderr: `gristmill: ls: created the embedded cluster of this home; its files are in ${join(home, 'embedded')}\n`,
  })
  expect(await run(['ls', '/'], env)).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(await run(['put', '-', '/hello.txt'], env, 'hello\n')).toMatchObject({ code: 0 })
  expect(await run(['cat', '/hello.txt'], env)).toMatchObject({ code: 0, stdout: 'hello\n' })
  const embedded = join(home, 'embedded')
  expect((await stat(embedded)).mode & 0o777).toBe(0o700)
  expect((await stat(join(embedded, 'secret'))).mode & 0o777).toBe(0o600)
  // A command that has ended leaves no servers behind.
  await expect(readFile(join(embedded, 'embedded.json'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a job that goes on without its command, in a cluster that does not, says so', async () => {
  expect(await runHere(['put', '-', '/words.txt'], env, 'rye oats rye\n')).toMatchObject({ code: 0 })
  const { code, stdout, stderr } = await runHere(['run', 'gristmill:wordcount', '-i', '/words.txt', '-o', '/out', '--detach'], env)
  expect([code, stdout, stderr]).toEqual([
    0, expect.stringMatching(/^job-\d+\n$/), expect.stringMatching(/^gristmill: run: an embedded cluster works only while.*`gristmill up`.*\n$/),
  ])
  // It is there for the next command.
  expect(await runHere(['kill', stdout.trim()], env)).toMatchObject({ code: 0 })
})

test('a home whose embedded cluster is not there is refused, and not given an empty one, until it is back or its record is removed', async () => {
  const [embedded, disk] = [join(home, 'embedded'), join(home, 'disk')]
  // As of a home that a disk has been given to: a new link to nowhere is named, and nothing is made.
  await symlink(disk, embedded)
  expect(await runHere(['ls', '/'], env)).toMatchObject({ code: 1, stderr: expect.stringContaining('is a link whose target is not there') })
  await mkdir(disk)
  expect(await runHere(['mkdir', '/there'], env)).toMatchObject({ code: 0 })
  await rename(disk, `${disk}.away`)
  const refused = async (why: string): Promise<void> => {
    const { code, stderr } = await runHere(['mkdir', '/new'], env)
    expect([code, stderr]).toEqual([69, expect.stringContaining(`has its data in ${embedded}, and ${why}: mount its disk`)])
  }
  await refused('that is a link whose target is not there')
  await mkdir(disk) // the mount point
  await refused('that directory has no gristmill.json')
  expect(await readdir(disk)).toEqual([])
  await rmdir(disk)
  await rename(`${disk}.away`, disk)
  expect(await runHere(['ls', '/'], env)).toMatchObject({ code: 0, stdout: 'there\n' })
  await rename(disk, `${disk}.away`)
  await mkdir(disk)
  await rm(join(home, 'embedded-cluster.json'))
  expect(await runHere(['ls', '/'], env)).toMatchObject({ code: 0, stdout: '' })
  // Another cluster in its place.
  await rename(disk, `${disk}.new`)
  await rename(`${disk}.away`, disk)
  const { code, stderr } = await runHere(['ls', '/'], env)
  expect([code, stderr]).toEqual([69, expect.stringMatching(/and it is \S+; the cluster that is there is \S+: mount its disk.*the cluster that is there is used/)])
})

test('a second process uses the first one\'s servers, and both see the same files', async () => {
  const first = await peer()
  const second = await peer()
  await first.ask('write', '/a', 'from the first')
  await second.ask('write', '/b', 'from the second')
  expect(await second.ask('read', '/a')).toBe('from the first')
  expect(await first.ask('read', '/b')).toBe('from the second')
  expect([await first.ask('pid'), await second.ask('pid')]).toEqual([first.pid, first.pid])
  expect((await runHere(['ls', '/'], env)).stdout).toBe('a\nb\n')
  expect(JSON.parse((await runHere(['status', '--json'], env)).stdout)).toMatchObject({
    kind: 'embedded',
    processes: [
      { role: 'namenode', pid: first.pid }, { role: 'datanode', pid: first.pid },
    ],
  })
})

test('when the first is killed the second takes over on its next call, and nothing acknowledged is lost', async () => {
  const first = await peer()
  const second = await peer()
  for (let i = 0; i < 20; i++) await (i % 2 ? first : second).ask('write', `/f${i}`, `number ${i}`)
  await first.end('SIGKILL')
  expect(await second.ask('list', '/')).toEqual(Array.from({ length: 20 }, (_, i) => `f${i}`).sort())
  for (let i = 0; i < 20; i++) expect(await second.ask('read', `/f${i}`)).toBe(`number ${i}`)
  expect(await second.ask('pid')).toBe(second.pid)
  await second.ask('write', '/after', 'and it goes on')
  const third = await peer()
  expect(await third.ask('read', '/after')).toBe('and it goes on')
})

test('calls that are on their way when the first is killed are made again, each with one effect', async () => {
  const first = await peer()
  const others = await Promise.all([peer(), peer(), peer()])
  const work = others.flatMap((other, i) => [(async () => {
    // An existing directory would give EEXIST: each call must take effect once and get its own reply.
    for (let j = 0; j < 30; j++) await other.ask('mkdir', `/p${i}-${j}`)
  })()])
  const killed = (async () => {
    await until('some have happened', async () => (await first.ask('list', '/') as string[]).length >= 15)
    await first.end('SIGKILL')
  })()
  await Promise.all([...work, killed])
  const owners = new Set(await Promise.all(others.map(other => other.ask('pid'))))
  expect(owners.size).toBe(1)
  expect((await runHere(['ls', '/'], env)).stdout.trim().split('\n')).toHaveLength(90)
})

test('when the first ends in good order the others go on', async () => {
  const first = await peer()
  const second = await peer()
  await first.ask('write', '/a', 'x')
  await first.leave()
  expect(await second.ask('read', '/a')).toBe('x')
  expect(await second.ask('pid')).toBe(second.pid)
})

test('several processes that start at once agree on one', async () => {
  const all = await Promise.all([peer(), peer(), peer(), peer()])
  const pids = new Set(await Promise.all(all.map(one => one.ask('pid'))))
  expect(pids.size).toBe(1)
  expect(all.map(one => one.pid)).toContain([...pids][0])
})

test('every call that needs the datanode reports why it cannot start, and it is started as soon as it can be', async () => {
  const dir = join(home, 'here')
  {
    await using first = await open(dir)
    await first.writeFile('/a', 'x')
  }
  await rename(join(dir, 'datanode'), join(dir, 'away'))
  await writeFile(join(dir, 'datanode'), 'a file where a directory should be')
  await using second = await open(dir)
  expect(await second.readdir('/')).toEqual(['a'])
  for (const ask of [() => second.mkdir('/b'), () => second.writeFile('/c', 'x'), () => second.readFile('/a')]) {
    await expect(ask()).rejects.toMatchObject({
      code: expect.not.stringMatching('SAFE_MODE'),
      message: expect.stringContaining(join(dir, 'datanode')),
    })
  }
  await rm(join(dir, 'datanode'))
  await rename(join(dir, 'away'), join(dir, 'datanode'))
  await second.mkdir('/b')
  expect(await second.readFile('/a', 'utf8')).toBe('x')
})

test("an old copy of the namenode's directory answers nothing about files, from the first command on, and the right one does when it is back", async () => {
  const dir = join(home, 'embedded')
  const [namenode, right] = [join(dir, 'namenode'), join(home, 'right')]
  {
    await using first = await open(dir)
    await first.writeFile('/a', 'x')
  }
  await cp(namenode, join(home, 'copy'), { recursive: true })
  {
    await using second = await open(dir)
    await second.writeFile('/b', 'x')
  }
  await rename(namenode, right)
  await rename(join(home, 'copy'), namenode)
  const refused = { code: 75, stdout: '', stderr: expect.stringContaining(`namenode recover --dir ${namenode}`) }
  // Listing needs no datanode, and writing does.
  for (const words of [
    ['ls', '/'], ['put', '-', '/c'], ['ls', '/'], ['safemode', 'leave'],
  ])
    expect(await runHere(words, env, 'x'), words.join(' ')).toMatchObject(refused)
  expect(await runHere(['safemode'], env)).toMatchObject({ code: 0, stdout: expect.stringContaining('behind its cluster') })
  await rm(namenode, { recursive: true })
  await rename(right, namenode)
  expect(await runHere(['ls', '/'], env)).toEqual({ code: 0, stdout: 'a\nb\n', stderr: '' })
  expect(await runHere(['put', '-', '/c'], env, 'x')).toMatchObject({ code: 0 })
})

test('a recovery of an old copy says what is lost, by what datanodes have seen, and one of the right directory that nothing is', async () => {
  const dir = join(home, 'embedded')
  const [namenode, copy] = [join(dir, 'namenode'), join(home, 'copy')]
  const recover = async (...words: string[]) => {
    const { code, stdout, stderr } = await run(['namenode', 'recover', '--json', ...words], env)
    return {
      code, stderr,
      ...(JSON.parse(stdout) as { outcome: string; dir: string; lost: number; uncertain: boolean; behind?: { seq: number }; seq: number }),
    }
  }
  {
    await using first = await open(dir)
    await first.writeFile('/a', 'x')
  }
  await cp(namenode, copy, { recursive: true })
  {
    await using second = await open(dir)
    for (let i = 0; i < 5; i++) await second.writeFile(`/b${i}`, 'x')
  }
  // Found without an argument: this home has no other namenode.
  expect(await recover()).toMatchObject({ code: 0, outcome: 'nothing', dir: namenode, lost: 0 })
  const right = join(home, 'right')
  await rename(namenode, right)
  await cp(copy, namenode, { recursive: true })
  // The datanode beside it shows that the copy is old, and so does the note left by a start.
  const planned = await recover('--dry-run')
  expect(planned).toMatchObject({ code: 4, outcome: 'planned', behind: { seq: expect.any(Number) } })
  expect(planned.lost).toBeGreaterThanOrEqual(10)
  expect(planned.behind!.seq - planned.seq).toBe(planned.lost)
  expect((await runHere(['ls', '/'], env)).code).toBe(75)
  await rename(join(dir, 'datanode'), join(home, 'datanode'))
  expect(await recover('--dry-run')).toMatchObject({ code: 4, outcome: 'planned', lost: planned.lost })
  const told = await run(['namenode', 'recover', '--dry-run'], env)
  expect(told).toMatchObject({ code: 4, stdout: expect.stringMatching(/^lost: \d+ operations that are known to have happened/m) })
  expect(told.stdout).not.toContain('nothing is known to be lost')
  await rename(join(home, 'datanode'), join(dir, 'datanode'))
  // An outdated note removes nothing.
  const note = await readFile(join(namenode, 'behind.json'))
  await rename(namenode, join(home, 'old'))
  await rename(right, namenode)
  await writeFile(join(namenode, 'behind.json'), note)
  expect(await recover()).toMatchObject({ code: 0, outcome: 'nothing', lost: 0, uncertain: false })
  await expect(stat(join(namenode, 'behind.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  expect((await runHere(['ls', '/'], env)).stdout).toBe('a\nb0\nb1\nb2\nb3\nb4\n')
  await rename(namenode, right)
  await rename(join(home, 'old'), namenode)
  expect(await recover()).toMatchObject({ code: 4, outcome: 'recovered', lost: planned.lost, uncertain: true })
  expect(await runHere(['ls', '/'], env)).toMatchObject({ code: 0, stdout: 'a\n' })
})

test('one process may open the same directory twice, and close one of them', async () => {
  const dir = join(home, 'here')
  const first = await open(dir)
  const second = await open(dir)
  try {
    await first.writeFile('/a', 'x')
    expect(await second.readFile('/a', 'utf8')).toBe('x')
    await first.close()
    expect(await second.readFile('/a', 'utf8')).toBe('x')
  } finally {
    await first.close()
    await second.close()
  }
  await using again = await open(dir)
  expect(await again.readdir('/')).toEqual(['a'])
})

test('closing while the datanode starts ends both: a datanode that has not registered yet does not wait for a namenode that leaves', async () => {
  const world = realWorld({ name: 'test', logLevel: 'silent' })
  const stopping = async (): Promise<boolean> => (await readFile(join(home, 'mill/embedded.json'), 'utf8')).includes('"stopping"')
  let listened = 0
  let closing: Promise<void> | undefined
  const listen: typeof world.net.listen = async (...what) => {
    if (++listened === 2) {
      // The next registration is the datanode's.
      closing = embedded.close()
      await until('the cluster is about to stop', stopping)
      await world.clock.sleep(50)
    }
    return world.net.listen(...what)
  }
  const embedded = new Embedded({
    world: { ...world, net: { ...world.net, listen } },
    machine: localMachine, dir: join(home, 'mill'), settings: {},
  })
  await embedded.address()
  await until('the datanode has begun to listen', async () => closing !== undefined)
  await closing
  await world.net.close()
  // All locks are released: the next process can start.
  const mill = await open(join(home, 'mill'))
  await mill.writeFile('/after', 'x')
  await mill.close()
})
