// Handover of an embedded cluster: the real process that runs its servers exits or is killed, at any step of another process's write, read
// or job. That work continues and its result is right.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Mill } from '../../client/index.ts'
import { run, until } from '../kit/cluster.ts'
import { openHere, runHere } from './inprocess.ts'
import { Peer } from './peer.ts'

const bin = join(import.meta.dirname, '../../client/cli/gristmill.js')
const MiB = 1 << 20

let home: string
let dir: string
let env: Record<string, string>
const children: Peer[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'gristmill-handover-'))
  dir = join(home, 'embedded')
  env = { PATH: process.env['PATH'] ?? '', HOME: home, GRISTMILL_HOME: home, NO_COLOR: '1', GRISTMILL_INLINE_BYTES: '0' }
})

afterEach(async () => {
  await Promise.all(children.splice(0).map(child => child.end()))
  await rm(home, { recursive: true, force: true })
})

async function holder(): Promise<Peer> {
  const peer = new Peer(dir, env)
  children.push(peer)
  await peer.ready()
  // After one write the datanode is certainly running.
  await peer.ask('write', '/warm', 'x')
  return peer
}

const ways = {
  'is killed': (peer: Peer) => peer.end('SIGKILL'),
  'leaves in good order': (peer: Peer) => peer.leave(),
} as const

/** Bytes in which every position has a different value. */
const content = (length: number): Buffer => {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at)
  return bytes
}
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

for (const [way, end] of Object.entries(ways)) {
  test(`a file that is being written when the holder ${way} is written whole, whatever step it is at`, async () => {
    const bytes = content(5 * MiB)
    for (const step of [0, 2, 5, 6]) {
      const peer = await holder()
      const mill = await openHere(dir)
      try {
        expect((await mill.clusterStatus()).pid).toBe(peer.pid)
        let ended: Promise<void> | undefined
        const reach = (at: number): void => { if (at === step) ended = end(peer) }
        async function* source(): AsyncGenerator<Buffer> {
          for (let at = 0; at < 5; at++) {
            reach(at)
            yield bytes.subarray(at * MiB, (at + 1) * MiB)
          }
          reach(5)
        }
        // 6: while the last block is on its way, and the file is completed.
        const written = mill.writeFile(`/file-${step}`, source(), { blockSize: MiB })
        reach(6)
        await written
        await ended
        expect(digest(await mill.readFile(`/file-${step}`)), `step ${step}`).toBe(digest(bytes))
        expect((await mill.clusterStatus()).pid).toBe(process.pid)
      } finally {
        await mill.close()
      }
    }
  })

  test(`a file that is being read when the holder ${way} is read to its end`, async () => {
    const bytes = content(5 * MiB)
    {
      await using mill = await openHere(dir)
      await mill.writeFile('/file', bytes, { blockSize: MiB })
    }
    // From local files, where the reader's host is the datanode's; otherwise over a connection.
    for (const hostName of [undefined, 'elsewhere']) {
      const peer = await holder()
      const mill: Mill = await openHere(dir, { hostName })
      try {
        const pieces: Buffer[] = []
        let ended: Promise<void> | undefined
        for await (const piece of mill.createReadStream('/file')) {
          pieces.push(piece as Buffer)
          ended ??= end(peer)
        }
        await ended
        expect(digest(Buffer.concat(pieces))).toBe(digest(bytes))
      } finally {
        await mill.close()
      }
      await peer.gone
    }
  })

  test(`a job of another process goes on when the holder ${way}, and its output is right`, async () => {
    const program = join(home, 'slow.ts')
    await writeFile(program, `
      import { mapReduce, sum } from 'gristmill'
      export default mapReduce({
        async map(line: string, emit) {
          await new Promise(resolve => setTimeout(resolve, 1))
          emit(line, 1)
        },
        reduce(word, counts, emit) { emit(word, sum(counts)) },
      })
    `)
    const peer = await holder()
    const mill = await openHere(dir)
    try {
      await mill.writeFile('/in.txt', 'rye\noats\n'.repeat(2_000), { format: 'lines', blockSize: 4_096 })
      const job = await mill.run(program, { input: '/in.txt', output: '/out', reducers: 1 })
      await until('a task has ended', async () => (await job.status()).stages.some(stage => stage.done > 0))
      await end(peer)
      await job.wait()
      expect(await mill.readFile('/out/part-00000.txt', 'utf8')).toBe('oats\t2000\nrye\t2000\n')
    } finally {
      await mill.close()
    }
  })
}

test('a process that joins before the datanode of the holder has started waits for it', async () => {
  const peer = new Peer(dir, env)
  children.push(peer)
  await peer.ready()
  await using mill = await openHere(dir)
  await mill.writeFile('/file', 'x'.repeat(1000))
  await peer.leave()
  expect(await mill.readFile('/file', 'utf8')).toHaveLength(1000)
})

test('a process that ends while its datanode is about to start ends', async () => {
  await (await holder()).leave()
  // At different moments of the start.
  for (const ms of [0, 1, 5, 20, 60, 150]) {
    const mill = await openHere(dir)
    // A call during the start; its outcome does not matter.
    const asked = mill.readFile('/warm', 'utf8').catch(() => '')
    await new Promise(resolve => setTimeout(resolve, ms))
    await mill.close()
    await asked
  }
})

test('processes that join report why the holder\'s datanode cannot start', async () => {
  await (await holder()).leave()
  await rm(join(dir, 'datanode'), { recursive: true })
  await writeFile(join(dir, 'datanode'), 'a file where a directory should be')
  const peer = new Peer(dir, env)
  children.push(peer)
  await peer.ready()
  await using mill = await openHere(dir)
  await expect(mill.writeFile('/file', 'x')).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('could not start its datanode'),
  })
})

test('commands of one pipe do their work, whichever of them holds the servers', async () => {
  const lines = Array.from({ length: 60_000 }, (_, i) => `line ${i}\n`)
  expect(await run(['put', '-', '/a'], env, lines.join(''))).toMatchObject({ code: 0 })
  await writeFile(join(home, 'gristmill'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`)
  await chmod(join(home, 'gristmill'), 0o755)
  const pipe = async (text: string): Promise<{ code: number; errors: string }> => {
    const shell = spawn('/bin/bash', ['-o', 'pipefail', '-c', text], {
      env: { ...env, PATH: `${home}:${env['PATH']}` }, stdio: ['ignore', 'pipe', 'pipe'],
    })
    let errors = ''
    shell.stdout.resume()
    shell.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
    const [code] = await once(shell, 'close') as [number]
    return { code, errors }
  }
  for (let round = 0; round < 2; round++) {
    expect(await pipe(`gristmill cat /a | tail -n 10 | gristmill put - /tail-${round}`)).toEqual({ code: 0, errors: '' })
    // `cat` ends in the middle, when its reader does.
    expect(await pipe(`{ gristmill cat /a || true; } | head -n 10 | gristmill put - /head-${round}`)).toEqual({ code: 0, errors: '' })
    // The first command ends long before the last begins to write.
    expect(
      await pipe(`{ gristmill ls / >/dev/null; head -c 3000000 /dev/zero; } | gristmill put --block-size 1MiB - /zero-${round}`),
    ).toEqual({ code: 0, errors: '' })
    expect(
      await pipe(
        `gristmill cat /a | gristmill put - /b-${round} && gristmill mv /b-${round} /c-${round} & gristmill get /a '${home}/a-${round}' & wait`,
      ),
    ).toEqual({ code: 0, errors: '' })
  }
  for (let round = 0; round < 2; round++) {
    expect((await runHere(['cat', `/tail-${round}`], env)).stdout).toBe(lines.slice(-10).join(''))
    expect((await runHere(['cat', `/head-${round}`], env)).stdout).toBe(lines.slice(0, 10).join(''))
    expect((await runHere(['stat', '--json', `/zero-${round}`], env)).stdout).toContain('3000000')
    expect((await runHere(['cat', `/c-${round}`], env)).stdout).toBe(lines.join(''))
    expect(await readFile(join(home, `a-${round}`), 'utf8')).toBe(lines.join(''))
  }
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  test(`a command that writes goes on when the command that holds the servers gets ${signal}`, async () => {
    const first = spawn(process.execPath, [bin, 'put', '-', '/never'], { env, stdio: ['pipe', 'ignore', 'pipe'] })
    const firstGone = once(first, 'exit')
    first.stdin.on('error', () => {})
    first.stdin.write('begun')
    await until('it holds the servers', async () =>
      (await readFile(join(dir, 'embedded.json'), 'utf8').catch(() => '')).includes('datanode'),
    )
    const second = spawn(process.execPath, [bin, 'put', '--block-size', '1MiB', '-', '/file'], { env, stdio: ['pipe', 'ignore', 'pipe'] })
    let errors = ''
    second.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
    const secondGone = once(second, 'exit')
    const bytes = content(4 * MiB)
    second.stdin.write(bytes.subarray(0, 2 * MiB + 5))
    await until('a block is written', async () =>
      (await readdir(join(dir, 'datanode/blocks'), { recursive: true }).catch(() => [])).some(name => name.endsWith('.meta')),
    )
    first.kill(signal)
    second.stdin.write(bytes.subarray(2 * MiB + 5, 3 * MiB))
    await firstGone
    second.stdin.end(bytes.subarray(3 * MiB))
    expect([(await secondGone)[0], errors]).toEqual([0, ''])
    await using mill = await openHere(dir)
    expect(digest(await mill.readFile('/file'))).toBe(digest(bytes))
    expect(await mill.readdir('/')).toEqual(['file'])
  })
}
