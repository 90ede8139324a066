// Clusters of `up`, as an operator meets them: up, down, status, restarts, remembered ports, lost directories. Real processes, each
// test in a home of its own; nothing is left running, and no data is replaced.

import { randomInt } from 'node:crypto'
import { spawn } from 'node:child_process'
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { availableParallelism, userInfo } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { localMachine } from '../../src/world/machine.ts'
import { until, type Result } from '../kit/cluster.ts'
import { runHere as run } from './inprocess.ts'
import { bin, eachInAHome, env, home, lives, member, mill, ok, up, type Up } from './homes.ts'

/** The library in a program whose environment names this home. */
async function openIn(dir: string): Promise<{ open: () => Promise<unknown> }> {
  const before = process.env['GRISTMILL_HOME']
  const { open } = await import('../../client/index.ts')
  return {
    open: async () => {
      process.env['GRISTMILL_HOME'] = dir
      try {
        return await open()
      } finally {
        if (before === undefined) delete process.env['GRISTMILL_HOME']
        else process.env['GRISTMILL_HOME'] = before
      }
    },
  }
}

/**
 * Changes the ports that `up` has remembered for the stopped cluster of this home to consecutive free ones that no other process looks
 * for: `up` takes ports from 8620 on, and the system's own choices lie above 32768. While a cluster is down, another process may take
 * its ports.
 */
async function moveAway(): Promise<Record<string, number>> {
  const file = join(home, 'up.json')
  const remembered = JSON.parse(await readFile(file, 'utf8')) as { ports: Record<string, number> }
  const names = Object.keys(remembered.ports)
  for (;;) {
    const first = randomInt(12_000, 30_000)
    const ports = names.map((_, i) => first + i)
    if (!(await Promise.all(ports.map(port => localMachine.isPortFree('127.0.0.1', port)))).every(Boolean)) continue
    const moved = Object.fromEntries(names.map((name, i) => [name, ports[i]!]))
    await writeFile(file, JSON.stringify({ ...remembered, ports: moved }))
    return moved
  }
}

eachInAHome()

test('a detached cluster stays, is found by every command, is shown by status, and goes with `down`; its data survives', async () => {
  const first = await up('--datanodes', '2')
  expect(first.processes.map(one => one.role)).toEqual(['namenode', 'datanode', 'datanode'])
  await writeFile(join(home, 'file'), 'kept over restarts\n')
  await ok('put', '--replication', '2', join(home, 'file'), '/file')

  const shown = JSON.parse(await ok('status', '--json')) as {
    processes: Up['processes']; cluster: { nodes: { slots: number }[]; files: number }
  }
  expect(
    shown.processes.map(({ role, id, address, pid, dir }) => ({ role, id, address, pid, dir })).sort((a, b) => (a.dir < b.dir ? -1 : 1)),
  ).toEqual([...first.processes].sort((a, b) => (a.dir < b.dir ? -1 : 1)))
  // The datanodes share the processor.
  const slots = Math.max(1, Math.floor(availableParallelism() / 2))
  expect(shown.cluster.nodes.map(node => node.slots)).toEqual([slots, slots])
  expect(await ok('status')).toContain(first.namenode)
  // Why it is this one.
  expect(await ok('status')).toMatch(/commands use this cluster because "up" has made it in the home \/.*\n$/)
  expect(await ok('status', '--cluster', first.namenode)).toMatch(/because --cluster names it\n$/)
  expect((await mill('mkdir', '/no/parent')).code).not.toBe(0)
  // Commands that look at a path, or at a job, before they change it.
  const missing = [
    ['rm', '/no'], ['rm', '-r', '/no'], ['chmod', '600', '/no'], ['chown', 'ada', '/no'], ['setrep', '2', '/no'], ['setfacl', '-b', '/no'],
    ['kill', 'job-999'],
  ]
  for (const words of missing) expect(await mill(...words)).toMatchObject({ code: 1, stderr: expect.stringContaining('no such') })
  await ok('append', join(home, 'file'), '/file')
  const log = join(home, 'cluster/log')
  const audited = (await readFile(join(log, 'audit.log'), 'utf8')).trim().split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
  expect(audited.map(({ action, outcome, path }) => [action, outcome, path])).toEqual([
    ['writing.create', 'ok', '/file'], ['writing.complete', 'ok', undefined], ['namespace.mkdir', 'ENOENT', '/no/parent'],
    ['namespace.remove', 'ENOENT', '/no'], ['namespace.remove', 'ENOENT', '/no'], ['namespace.attributes', 'ENOENT', '/no'],
    ['namespace.attributes', 'ENOENT', '/no'], ['namespace.attributes', 'ENOENT', '/no'], ['acl.change', 'ENOENT', '/no'],
    ['job.kill', 'ENOENT', undefined], ['writing.create', 'ok', '/file'], ['writing.complete', 'ok', undefined],
  ])
  expect(audited.map(({ keepsOwner }) => keepsOwner)).toEqual([...Array.from({ length: 10 }), true, undefined])
  expect(new Set(audited.map(({ user, address }) => `${user} ${address}`))).toEqual(new Set([`${userInfo().username} 127.0.0.1`]))

  expect(await mill('down')).toMatchObject({ code: 0 })
  expect(first.processes.map(one => lives(one.pid))).toEqual([false, false, false])
  expect(await ok('status', '--cluster', 'embedded')).toContain('no process is running')

  const second = await up('--log-level', 'debug', '--log-size', '1k', '--log-keep', '2')
  expect(await readdir(log)).toContain('namenode.log.1')
  // The same datanodes in the same directories.
  expect(second.processes.map(({ id, dir }) => ({ id, dir })).sort((a, b) => (a.dir < b.dir ? -1 : 1)))
    .toEqual(first.processes.map(({ id, dir }) => ({ id, dir })).sort((a, b) => (a.dir < b.dir ? -1 : 1)))
  expect(await ok('cat', '/file')).toBe('kept over restarts\nkept over restarts\n')
})

test('a home whose cluster is stopped refuses, and names the ways on; the embedded cluster keeps its files', async () => {
  await writeFile(join(home, 'file'), 'words\n')
  expect(await mill('put', join(home, 'file'), '/words')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(join(home, 'embedded')),
  })
  // Printed once only.
  expect(await mill('ls', '/')).toEqual({ code: 0, stdout: 'words\n', stderr: '' })
  const first = await mill('up', '--datanodes', '1', '--detach', '--json')
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('--cluster embedded')])
  expect(await ok('ls', '/')).toBe('')
  await ok('put', join(home, 'file'), '/in-the-cluster')
  const refused = { code: 69, stdout: '', stderr: expect.stringMatching(/does not run.*gristmill up --detach.*--cluster embedded/) }
  const stopped = async (): Promise<void> => {
    for (const words of [['ls', '/'], ['fsck'], ['put', join(home, 'file'), '/wrong'], ['safemode'], ['jobs'], ['namenode', 'lost']])
      expect(await mill(...words), words.join(' ')).toMatchObject(refused)
    const json = await mill('ls', '/', '--json')
    expect([json.code, JSON.parse(json.stderr)]).toEqual([69, { error: expect.objectContaining({ code: 'UNAVAILABLE' }) }])
    expect(await mill('status')).toMatchObject({
      code: 69,
      stdout: expect.stringMatching(/no process is running; "gristmill up --detach" starts the cluster in .* its logs are in/),
    })
    expect(await ok('cat', '/words', '--cluster', 'embedded')).toBe('words\n')
    await expect(open()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('gristmill up') })
  }
  const { open } = await openIn(home)
  await ok('down')
  await stopped()
  // A failed start leaves the cluster stopped.
  const server = createServer()
  const port = await new Promise<number>(resolve =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  )
  expect((await mill('up', '--detach', '--port', String(port))).code).toBe(69)
  const before = await readFile(join(home, 'up.json'), 'utf8')
  expect((await mill('up', '--detach', '--gateway', '--console', String(port), '--datanodes', '2')).code).toBe(69)
  expect(await readFile(join(home, 'up.json'), 'utf8')).toBe(before)
  server.close()
  await stopped()
  // `up` after the death of a namenode prints a table of its processes and the location of the logs.
  await moveAway()
  const again = await up()
  process.kill(again.processes[0]!.pid, 'SIGKILL')
  await until('it is gone', async () => !lives(again.processes[0]!.pid))
  expect(await mill('ls', '/')).toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/the namenode .* has ended .*namenode\.log.*gristmill up --detach/),
  })
  const status = await mill('status')
  expect(status).toMatchObject({
    code: 69,
    stdout: expect.stringMatching(/^namenode .* gone [\s\S]*^datanode .* live [\s\S]*logs in .*\/cluster\/log/m),
    stderr: expect.stringContaining('has ended'),
  })
  expect(JSON.parse((await mill('status', '--json')).stdout)).toMatchObject({
    logs: join(home, 'cluster/log'), processes: [{ state: 'gone' }, { state: 'live' }],
  })
  // It uses its former address, for the datanode that still runs.
  const third = await up()
  expect(third.namenode).toBe(again.namenode)
  expect(third.processes[1]).toEqual(again.processes[1])
  expect(await ok('cat', '/in-the-cluster')).toBe('words\n')
  await ok('down')
  expect(third.processes.filter(one => lives(one.pid))).toEqual([])
})

test('a datanode of `up` is named as its directory, and can be taken away for good', async () => {
  const { processes } = await up('--datanodes', '3', '--replication', '1')
  const gone = processes.find(one => one.dir.endsWith('/datanode2'))!
  expect(await ok('maintenance', 'datanode2', '--for', '1h')).toContain(gone.address)
  expect(await ok('maintenance', 'datanode2', '--end')).toContain('in service')
  expect(await ok('logs', '--server', 'datanode2')).toContain(`ready role="datanode" id="${gone.id}"`)
  process.kill(gone.pid)
  await until('it is dead', async () => (await mill('forget', 'datanode2', '--force')).code === 0)
  const left = (): Promise<string[]> => ok('status', '--json').then(text =>
    (JSON.parse(text) as Up).processes.map(({ dir }) => basename(dir)).sort())
  expect(await left()).toEqual(['datanode1', 'datanode3', 'namenode'])
  await rm(gone.dir, { recursive: true })
  expect((await mill('up', '--detach')).stderr).toContain('a cluster runs already')
  await ok('down')
  await up()
  expect(await left()).toEqual(['datanode1', 'datanode3', 'namenode'])
  await ok('down')
})

test('`up` says which cluster commands use if a variable or the settings file names another one', async () => {
  await writeFile(join(home, 'file'), 'words\n')
  await ok('put', join(home, 'file'), '/words')
  const start = async (more: Readonly<Record<string, string>>): Promise<string> => {
    const { code, stderr } = await run(['up', '--detach', '--json', '--datanodes', '1'], { ...env, ...more })
    expect(code).toBe(0)
    await ok('down')
    return stderr
  }
  const embedded = await start({ GRISTMILL_CLUSTER: 'embedded' })
  expect(embedded).toMatch(/commands do not use this cluster but the embedded one, which GRISTMILL_CLUSTER names: .*--cluster 127/)
  expect(embedded).not.toContain('from now on')
  await writeFile(join(home, 'config.json'), '{ "cluster": "mill.example:8620" }')
  expect(await start({})).toContain(`that of mill.example:8620, which file ${join(home, 'config.json')} names`)
  await rm(join(home, 'config.json'))
  expect(await start({})).not.toContain('do not use this cluster')
})

test('a cluster whose directory is away is neither replaced nor forgotten, and `up` is the first command of a home', async () => {
  const [disk, mine] = [join(home, 'disk'), { ...env, GRISTMILL_HOME: join(home, 'new/home') }]
  const words = async (...args: string[]): Promise<Result> => run(args, mine)
  await writeFile(join(home, 'file'), 'words\n')
  try {
    expect(await words('up', '--detach', '--json', '--datanodes', '1', '--dir', join(disk, 'mill'))).toMatchObject({ code: 0, stderr: '' })
    expect(await words('put', join(home, 'file'), '/words')).toMatchObject({ code: 0 })
  } finally {
    expect(await words('down')).toMatchObject({ code: 0 })
  }
  await rename(disk, join(home, 'unmounted'))
  const remembered = await readFile(join(home, 'new/home/up.json'), 'utf8')
  const commands = [
    ['ls', '/'], ['put', join(home, 'file'), '/wrong'], ['fsck'], ['status'], ['namenode', 'recover', '--dry-run'],
    ['up', '--detach', '--datanodes', '1'], ['up', '--detach', '--dir', join(disk, 'mill')],
  ]
  for (const each of commands)
    expect(await words(...each), each.join(' ')).toMatchObject({
      code: 69,
      stdout: '',
      stderr: expect.stringContaining(`its data in ${join(disk, 'mill')}, and that directory is not there`),
    })
  expect(await readdir(join(home, 'new/home'))).not.toContain('embedded')
  expect(await readFile(join(home, 'new/home/up.json'), 'utf8')).toBe(remembered)
  await rename(join(home, 'unmounted'), disk)
  try {
    expect(await words('up', '--detach', '--json')).toMatchObject({ code: 0 })
    expect(await words('cat', '/words')).toMatchObject({ code: 0, stdout: 'words\n' })
  } finally {
    await words('down')
  }
})

test('`up` remembers ports, its options, and the datanodes that have data; and starts what is missing', async () => {
  const first = await up('--datanodes', '2', '--block-size', '1MiB')
  const places = (one: Up): string[] => one.processes.map(({ address, dir }) => `${dir} ${address}`)
  expect(await ok('status')).toMatch(/defaults +2 replicas, blocks of 1\.0 MiB/)
  await writeFile(join(home, 'file'), 'x')
  await ok('put', join(home, 'file'), '/file')
  await ok('down')
  const portsOf = (one: Up): Record<string, number> =>
    Object.fromEntries(one.processes.map(({ address, dir }) => [basename(dir), Number(address.split(':').at(-1))]))
  const remembered = async (): Promise<unknown> => (JSON.parse(await readFile(join(home, 'up.json'), 'utf8')) as { ports: unknown }).ports
  expect(await remembered()).toEqual(portsOf(first))
  const moved = await moveAway()
  const second = await up()
  expect(second.processes.map(({ dir }) => dir)).toEqual(first.processes.map(({ dir }) => dir))
  expect([portsOf(second), await remembered()]).toEqual([moved, moved])
  expect(await ok('status')).toMatch(/defaults +2 replicas, blocks of 1\.0 MiB/)
  // One datanode dies: the others continue, and only that one is started.
  process.kill(second.processes[2]!.pid, 'SIGKILL')
  await until('it is gone', async () => !lives(second.processes[2]!.pid))
  await ok('loglevel', 'warn', '--server', 'namenode')
  const repaired = await mill('up', '--detach', '--json', '--trash-keep', '7h', '--log-keep', '3')
  expect(repaired.stderr).toMatch(/--trash-keep 7h 00m, --log-keep 3: namenode \(process \d+\) runs without them.*gristmill down, then gristmill up/)
  expect(repaired.stderr).toContain('datanode1 (process ')
  expect(repaired.stderr).not.toContain('datanode2 (process ')
  const third = JSON.parse(repaired.stdout) as Up
  expect(places(third)).toEqual(places(second))
  type Shown = { servers: { name: string; settings: { name: string; value?: unknown; from: string }[] }[] }
  const sourceOf = async (server: string, setting: string): Promise<unknown> =>
    (JSON.parse(await ok('config', '--json')) as Shown).servers.find(one => one.name === server)!.settings.find(one => one.name === setting)
  expect(await sourceOf('namenode', 'blockSize')).toMatchObject({ value: 1 << 20, from: 'up --block-size' })
  expect(await sourceOf('namenode', 'logLevel')).toMatchObject({ value: 'warn', from: 'gristmill loglevel' })
  expect(await sourceOf('namenode', 'logKeep')).toMatchObject({ from: 'default' })
  expect(await sourceOf('datanode2', 'logKeep')).toMatchObject({ value: 3, from: 'up --log-keep' })
  expect(third.processes.slice(0, 2)).toEqual(second.processes.slice(0, 2))
  expect(third.processes[2]!.pid).not.toBe(second.processes[2]!.pid)
  expect((await mill('up', '--detach')).code).toBe(73)
  await ok('down')
  await writeFile(join(home, 'config.json'), '{ "trashKeep": "1h", "auditReads": true }')
  // A value that is too small leaves no data directory behind.
  const small = await mill('up', '--detach', '--json', '--datanodes', '1', '--block-size', '2MiB')
  expect(small.stderr).toContain('datanode2 has data and is started as well')
  expect(places(JSON.parse(small.stdout) as Up)).toEqual(places(second))
  expect(small.stderr).toMatch(/--trash-keep 7h 00m of an earlier .* is in effect, and not 1h 00m \(file .*config\.json\)/)
  expect(await sourceOf('namenode', 'trashKeep')).toMatchObject({ value: 25_200_000, from: 'up --trash-keep' })
  expect(await sourceOf('namenode', 'logKeep')).toMatchObject({ value: 3, from: 'up --log-keep' })
  expect(await sourceOf('namenode', 'auditReads')).toMatchObject({ value: true, from: `file ${join(home, 'config.json')}` })
  expect(await ok('status')).toContain('blocks of 2.0 MiB')
  expect(await ok('fsck')).toContain('healthy')
})

test('`namenode recover` finds the directory of the cluster of `up`, and asks where two could be meant', async () => {
  await up('--datanodes', '1')
  expect(await mill('namenode', 'recover')).toMatchObject({ code: 73 })
  await ok('down')
  expect(await ok('namenode', 'recover')).toContain(`${join(home, 'cluster/namenode')} are undamaged`)
  const own = member('namenode', 'namenode')
  await own.start()
  await own.end()
  expect(await mill('namenode', 'recover')).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/two namenodes: .*\/namenode and .*\/cluster\/namenode; choose one with --dir/),
  })
})

test('with one datanode files get one replica, and all is well', async () => {
  await up('--datanodes', '1')
  await writeFile(join(home, 'file'), 'x')
  await ok('put', join(home, 'file'), '/file')
  expect(await ok('status')).toMatch(/defaults +1 replica, [\s\S]*health +healthy/)
  await ok('down')
  const more = await mill('up', '--detach', '--replication', '3')
  expect(more).toMatchObject({ code: 0, stderr: expect.stringContaining('3 replicas, but there is 1 datanode') })
})

test('of two `up` of one home that start at once one is refused; so is a later one, with the pids of the first, and does it no harm', async () => {
  const both = await Promise.all(['a', 'b'].map(name => mill('up', '--detach', '--json', '--datanodes', '1', '--dir', join(home, name))))
  expect(both.map(({ code }) => code).sort((x, y) => x - y)).toEqual([0, 73])
  const first = JSON.parse(both.find(({ code }) => code === 0)!.stdout) as Up
  const second = await mill('up', '--detach', '--datanodes', '1')
  expect(second.code).toBe(73)
  expect(second.stderr).toContain(String(first.processes[0]!.pid))
  expect(first.processes.every(one => lives(one.pid))).toBe(true)
  await ok('ls', '/')
  await ok('down')
  expect(first.processes.filter(one => lives(one.pid))).toEqual([])
})

test('Ctrl-C stops everything that `up` has started', async () => {
  const child = spawn(process.execPath, [bin, 'up', '--datanodes', '2', '--json'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  child.stdout.on('data', (bytes: Buffer) => { text += bytes.toString() })
  const ready = await until('the cluster is ready', async () => text.includes('\n') && JSON.parse(text) as Up)
  expect(ready.processes.every(one => lives(one.pid))).toBe(true)
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGINT')
  await gone
  expect(ready.processes.filter(one => lives(one.pid))).toEqual([])
  await expect(readFile(join(home, 'cluster.json'))).rejects.toMatchObject({ code: 'ENOENT' })
})

/**
 * Process ids that `up` has recorded once the namenode serves, which is when it starts datanodes: a process that has not begun would end
 * with its `up`. A namenode that found its port taken by another program is recorded, too, and another one after it.
 */
const recorded = (): Promise<number[]> => until('something runs', async () => {
  const text = await readFile(join(home, 'starting.json'), 'utf8').catch(() => '{"processes":[]}')
  const { processes } = JSON.parse(text) as Up
  return processes.some(({ role }) => role === 'datanode') && processes.map(({ pid }) => pid)
})

test('an `up` whose processes are ended by `down` while it starts ends too, and does not wait for those that need them', async () => {
  const child = spawn(process.execPath, [bin, 'up', '--datanodes', '2'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
  const gone = new Promise(resolve => child.once('exit', resolve))
  const pids = await recorded()
  await ok('down')
  // It may just have become ready: then its end is an ordinary one.
  await gone
  expect(errors).not.toMatch(/was not ready within/)
  expect(pids.filter(lives)).toEqual([])
})

test('an `up` that is killed while it starts leaves only processes that `down` and the next `up` find and end', async () => {
  const killed = async (): Promise<number[]> => {
    const child = spawn(process.execPath, [bin, 'up', '--datanodes', '2', '--json'], { env, stdio: 'ignore' })
    const gone = new Promise(resolve => child.once('exit', resolve))
    const pids = await recorded()
    child.kill('SIGKILL')
    await gone
    return pids
  }
  const first = await killed()
  expect(first.some(lives)).toBe(true)
  const downed = await mill('down')
  expect(downed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^(datanode|namenode)( \S+)? \(process \d+\) ended$/m) })
  expect(first.filter(lives)).toEqual([])

  const second = await killed()
  const { code, stderr, stdout } = await mill('up', '--detach', '--json', '--datanodes', '2')
  expect([code, stderr]).toEqual([0, expect.stringContaining('was killed before it was done; ending what it had started')])
  expect(second.filter(lives)).toEqual([])
  expect((JSON.parse(stdout) as Up).processes).toHaveLength(3)
  await expect(readFile(join(home, 'starting.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await ok('ls', '/')).toBe('')
})

test('a process that dies is reported by `up`, and by status', async () => {
  const child = spawn(process.execPath, [bin, 'up', '--datanodes', '1', '--gateway', '--json'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [text, errors] = ['', '']
  child.stdout.on('data', (bytes: Buffer) => { text += bytes.toString() })
  child.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
  const gone = new Promise(resolve => child.once('exit', resolve))
  try {
    const ready = await until('the cluster is ready', async () => text.includes('\n') && JSON.parse(text) as Up)
    for (const role of ['gateway', 'datanode']) {
      const victim = ready.processes.find(one => one.role === role)!
      process.kill(victim.pid, 'SIGKILL')
      await until('up tells of it', async () => new RegExp(`${role}\\d? has ended \\(SIGKILL\\)`).test(errors))
      const shown = JSON.parse(await ok('status', '--json')) as { processes: { id: string; state: string; endpoints?: unknown }[] }
      const found = shown.processes.find(one => one.id === victim.id)
      expect([found?.state, found?.endpoints]).toEqual(['gone', undefined])
      expect(await ok('status')).toMatch(new RegExp(`^health +.*${role} .* has ended \\(process ${victim.pid}\\): gristmill up`, 'm'))
    }
  } finally {
    child.kill('SIGINT')
    await gone
  }
})

test('`down` where nothing runs says so and succeeds', async () => {
  expect(await mill('down')).toMatchObject({ code: 0, stderr: expect.stringContaining('no process of "gristmill up" is running') })
})

test('a file in the place of a directory of the home is named by `up`, and stays', async () => {
  const refused = async (place: string, what: string): Promise<void> => {
    await writeFile(join(home, place), 'of another program')
    expect(await mill('up', '--detach', '--datanodes', '1')).toMatchObject({
      code: 1, stderr: expect.stringContaining(`cannot use ${what} ${join(home, place)} (a file is in its place, EEXIST); `),
    })
    expect(await mill('down')).toMatchObject({ code: 0, stderr: expect.stringContaining('no process of "gristmill up" is running') })
    expect(await readFile(join(home, place), 'utf8')).toBe('of another program')
    await rm(join(home, place))
  }
  await refused('starting', 'the lock directory of "up",')
  await refused('cluster', 'the directory')
  // The user meant a cluster of `up`: a command does not make an embedded one in its place, unless it is told to.
  const without = { code: 69, stderr: expect.stringMatching(/this home has no cluster: the last "gristmill up" has failed \(.*a file is in its place/) }
  expect([await mill('ls', '/'), await mill('put', join(home, 'starting'), '/x')]).toMatchObject([without, without])
  await ok('ls', '/', '--cluster', 'embedded')
  await ok('ls', '/')
  await refused('cluster', 'the directory')
  await ok('ls', '/')
  await mkdir(join(home, 'cluster'))
  await writeFile(join(home, 'cluster/gristmill.json'), '{"format":1,"role":"cluster","id":"cluster-0123456789ab"}')
  await refused('cluster/log', 'the log directory')
})

test('`down` ends a process that does not listen', async () => {
  const { processes } = await up('--datanodes', '1')
  process.kill(processes[1]!.pid, 'SIGSTOP')
  expect(await mill('down')).toMatchObject({ code: 0 })
  expect(processes.filter(one => lives(one.pid))).toEqual([])
})

test('`down` ends what is recorded also where it cannot read what may have been left of an earlier start', async () => {
  const { processes } = await up('--datanodes', '1')
  await writeFile(join(home, 'starting.json'), 'torn')
  expect(await mill('down')).toMatchObject({ code: 78, stderr: expect.stringContaining('starting.json') })
  expect(processes.filter(one => lives(one.pid))).toEqual([])
  await rm(join(home, 'starting.json'))
  expect(await mill('down')).toMatchObject({ code: 0 })
})
