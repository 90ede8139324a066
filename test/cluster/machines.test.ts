// The guide of several machines: its units start the servers, and its commands restart them and change the secret, in the order of the
// page, on real processes of this machine. `systemctl` acts on the processes of the test.

import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { portDefaults } from '../../client/discovery/locate.ts'
import { run, until, type TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { root } from '../tidy/source.ts'
import { wordsOf } from '../unit/client/cli/shellwords.ts'
import { runHere, startClusterHere } from './inprocess.ts'
import { S3TestClient, type TestKey } from './s3client.ts'

const page = await readFile(join(root, 'docs/guide/cluster.md'), 'utf8')

/** Blocks of a language, in the section of this heading. */
function blocksOf(language: string, heading: string): string[] {
  const at = page.indexOf(`\n## ${heading}\n`)
  expect(at, heading).toBeGreaterThan(0)
  const section = page.slice(at + 1, page.indexOf('\n## ', at + 1))
  return [...section.matchAll(new RegExp(`^ *\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\`$`, 'gm'))].map(match => match[1]!)
}

test('each unit starts its server, and the servers find each other', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-units-'))
  const servers: ServerProcess[] = []
  try {
    const env = { PATH: process.env['PATH'] ?? '', HOME: dir, GRISTMILL_HOME: join(dir, 'home'), NO_COLOR: '1' }
    await writeFile(join(dir, 'secret'), 'x'.repeat(40), { mode: 0o600 })
    for (const name of ['mnt', 'disk1', 'disk2']) await mkdir(join(dir, name))
    let namenode = ''
    for (const unit of blocksOf('ini', 'Units of systemd')) {
      const [, command, line] = /^ExecStart=gristmill (\w+) (.*)$/m.exec(unit)!
      expect(unit).toMatch(new RegExp(`^# /etc/systemd/system/gristmill-${command}.service\n`))
      // The same options, with directories of the test, any port, and loopback.
      const words = line!.replace(/ --advertise \S+/, '').split(' ').map((word, i, all) => {
        const option = all[i - 1] ?? ''
        if (option === '--cluster') return namenode
        if (option === '--host') return '127.0.0.1'
        if (/^--(s3|pg)$/.test(option)) return '0'
        if (option === '--secret-file') return join(dir, 'secret')
        return word.startsWith('/') ? join(dir, word.replace('/var/lib/gristmill/', '')) : word
      })
      const port = command === 'gateway' ? [] : ['--port', '0']
      const server = new ServerProcess({ role: command as 'namenode', args: [...words, ...port], env })
      servers.push(server)
      const { address } = await server.ready()
      if (command === 'namenode') namenode = address
    }
    expect(servers).toHaveLength(3)
    const asked = { ...env, GRISTMILL_CLUSTER: namenode, GRISTMILL_SECRET_FILE: join(dir, 'secret') }
    await until('the datanode is live', async () => (await run(['status'], asked)).stdout.includes('live'))
  } finally {
    await Promise.all(servers.toReversed().map(server => server.end('SIGTERM')))
    await rm(dir, { recursive: true, force: true })
  }
})

test('the table of ports has the defaults', () => {
  const rows = page.slice(page.indexOf('## Ports')).split('\n')
  const { namenode, datanode, gateway } = portDefaults
  for (const [server, port] of [['namenode', namenode], ['datanode', datanode], ['gateway, WebHDFS', gateway]])
    expect(rows.find(row => row.startsWith(`| ${server} |`))).toContain(`| ${port} |`)
})

/** Runs the lines of a block as the page means them: the first datanode is the one that it names. */
async function follow(cluster: TestCluster, block: string): Promise<void> {
  const { dir, secretFile, datanodes, namenode } = cluster
  const here = (path: string): string => path.replace(/^\/etc\/gristmill\/secret/, secretFile)
  for (const line of block.trim().split('\n')) {
    const [program, ...words] = wordsOf(line)
    if (program === 'systemctl') {
      const [action, unit] = words
      // Of the datanodes, `restart` means the one in maintenance; the other two actions mean each machine.
      const nodes = action === 'restart' ? datanodes.slice(0, 1) : datanodes
      const members = unit === 'gristmill-namenode' ? [namenode] : unit === 'gristmill-datanode' ? nodes : []
      if (action !== 'start') await Promise.all(members.map(member => member.end()))
      if (action !== 'stop') await Promise.all(members.map(member => member.start()))
    } else if (program === 'mv') await rename(here(words[0]!), here(words[1]!))
    else if (program === 'rm') await rm(here(words[0]!))
    else if (program === 'gristmill') {
      const ours: Record<string, string> = { '10.0.0.7:8621': datanodes[0]!.address, '/mnt/backups': join(dir, 'backups') }
      const given = words.map(word => ours[word] ?? word)
      if (words[0] !== 'fsck') await cluster.ok(given)
      else await until('healthy', async () => (await cluster.run(given)).code === 0)
    } else if (program !== 'npm') throw new Error(`no meaning for ${line}`)
  }
}

test('servers restart one after another and are upgraded, as the page says', async () => {
  await using cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_REPLICATION: '2' } })
  await mkdir(join(cluster.dir, 'backups'))
  await cluster.ok(['put', '-', '/kept'], 'rye\n')
  for (const block of blocksOf('sh', 'Restart one server after another')) await follow(cluster, block)
  for (const block of blocksOf('sh', 'Upgrade')) await follow(cluster, block)
  expect(await cluster.ok(['cat', '/kept'])).toBe('rye\n')
})

/** Restarts each server while clients of both secrets, if there are two, write, read and run; each of their commands succeeds. */
async function restartUnderUse(
  cluster: TestCluster, round: number, clients: ReadonlyArray<Readonly<Record<string, string>>>,
): Promise<void> {
  let over = false
  let turns = 0
  const use = async (env: Readonly<Record<string, string>>, client: number): Promise<void> => {
    while (!over) {
      const path = `/use-${round}-${client}-${turns++}`
      for (const [words, input] of [
        [['put', '-', path], 'a b a\n'], [['cat', path], ''], [['run', 'gristmill:wordcount', '-i', path, '-o', `${path}-out`], ''],
      ] as const) {
        const { code, stderr } = await runHere(words, env, input)
        expect([words, code, code === 0 ? '' : stderr]).toEqual([words, 0, ''])
      }
    }
  }
  const using = Promise.all(clients.map(use))
  using.catch(() => { over = true })
  try {
    for (const member of [cluster.datanodes[0]!, cluster.namenode, cluster.datanodes[1]!]) {
      const before = turns
      await member.end()
      await member.start()
      await Promise.race([using, until('the clients go on', async () => turns > before + clients.length)])
    }
  } finally {
    over = true
    await using
  }
}

test('the secret is changed while clients of both are served, as the page says', async () => {
  await using cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_REPLICATION: '2', GRISTMILL_INLINE_BYTES: '0' } })
  const { dir, secretFile, env } = cluster
  await cluster.ok(['user', 'add', 'ada'])
  const key = JSON.parse(await cluster.ok(['user', 'key', 'ada', '--json'])) as TestKey
  const [make, swap, remove, ...more] = blocksOf('sh', 'Change the secret')
  expect([make, more]).toEqual([expect.stringMatching(/^ *\(umask 077; .* > \/etc\/gristmill\/secret\.other\)\n$/), []])
  await writeFile(`${secretFile}.other`, `${'n'.repeat(44)}\n`, { mode: 0o600 })
  const ofOld = { ...env, GRISTMILL_SECRET_FILE: join(dir, 'client.old') }
  const ofNew = { ...env, GRISTMILL_SECRET_FILE: join(dir, 'client.new') }
  await cp(secretFile, join(dir, 'client.old'))
  await cp(`${secretFile}.other`, join(dir, 'client.new'))
  await restartUnderUse(cluster, 1, [ofOld])
  await follow(cluster, swap!)
  await restartUnderUse(cluster, 2, [ofOld, ofNew])
  const sealed = 'all access keys are sealed with the first secret'
  expect(page.replaceAll('\n', ' ')).toContain(sealed)
  await until('the access keys are sealed', async () => cluster.namenode.errors.includes(sealed))
  await follow(cluster, remove!)
  await restartUnderUse(cluster, 3, [ofNew])
  const { code, stderr } = await runHere(['ls', '/'], ofOld)
  expect([code, stderr]).toEqual([77, expect.stringMatching(/secret/)])
  const gateway = new ServerProcess({ role: 'gateway', args: ['--s3', '0'], env: ofNew })
  try {
    const { endpoints } = await gateway.ready() as unknown as { endpoints: { s3: string } }
    const client = new S3TestClient(new URL(endpoints.s3).host, key)
    expect((await client.ask('PUT', '/grain')).status).toBe(200)
    await client.close()
  } finally {
    await gateway.end('SIGTERM')
  }
})
