// Full disks: a user's, a datanode's, the namenode's. The error names the full disk, and acknowledged data stays.

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { writeHomeFile } from '../../client/discovery/homefile.ts'
import { localDisk } from '../../src/world/disk.ts'
import { localMachine } from '../../src/world/machine.ts'
import { Member, until } from '../kit/cluster.ts'
import { runHere as run, startClusterHere } from './inprocess.ts'
import { area, bin, cluster, local, mill, watchCluster } from './watched.ts'

watchCluster()

describe('full disks', () => {
  // A small disk of its own needs the right to mount: root has it, in most containers too.
  const small = (path: string, bytes: string): boolean =>
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]).status === 0
  const canMount = ((): boolean => {
    const path = mkdtempSync(join(tmpdir(), 'gristmill-mount-'))
    const mounted = small(path, '1m')
    if (mounted) spawnSync('umount', [path])
    rmdirSync(path)
    return mounted
  })()

  /** Runs the work with a directory on a disk of that size. */
  async function onSmallDisk(bytes: string, work: (path: string) => Promise<void>): Promise<void> {
    const path = local('disk')
    await mkdir(path)
    if (!small(path, bytes)) throw new Error('could be mounted before, and not now')
    try {
      await work(path)
    } finally {
      spawnSync('umount', ['-l', path])
    }
  }

  test('output that does not fit is an error, even of one short line', async () => {
    const child = spawn('bash', ['-c', '"$0" "$1" ls / > /dev/full', process.execPath, bin], {
      env: cluster.env, stdio: ['ignore', 'ignore', 'pipe'],
    })
    let errors = ''
    child.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
    expect(await new Promise(resolve => child.once('close', resolve))).toBe(1)
    expect(errors).toBe('gristmill: ls: standard output: no space left on device\n')
  })

  test.skipIf(!canMount)('a full local disk: get says so and leaves no part of a file', async () => {
    // because mounting needs root
    await cluster.run(['put', '-', `${area}/big`], Buffer.alloc(3_000_000, 'x'))
    await onSmallDisk('1m', async disk => {
      expect(await mill('get', `${area}/big`, join(disk, 'big'))).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('no space left on device'),
      })
      expect(await readdir(disk)).toEqual([])
    })
  })

  test.skipIf(!canMount)(
    'a full datanode: put says so, the file is not there, its blocks are taken back, and smaller ones still fit',
    async () => {
      // because mounting needs root
      await onSmallDisk('40m', async disk => {
        const alone = await startClusterHere({ datanodes: 0, settings: { GRISTMILL_REPLICATION: '1' } })
        const datanode = new Member('datanode', join(disk, 'datanode'), [], alone.env)
        try {
          await datanode.start()
          const result = await alone.run(['put', '--block-size', '4MiB', '-', '/big'], Buffer.alloc(64 << 20, 'x'))
          expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/^gristmill: put: .*(datanode|space).*\n$/) })
          expect(await alone.ok(['ls', '/'])).toBe('')
          for (const { address } of [alone.namenode, datanode]) expect((await fetch(`http://${address}/healthz`)).status).toBe(200)
          const used = async () => (JSON.parse(await alone.ok(['df', '--json'])) as { total: { usedBytes: number } }).total.usedBytes
          await until('what was written of it is gone', async () => (await used()) < 4 << 20)
          await alone.ok(['put', '--block-size', '4MiB', '-', '/small'], 'small')
          expect(await alone.ok(['cat', '/small'])).toBe('small')
        } finally {
          await datanode.end()
          await alone.stop()
        }
      })
    },
  )

  test.skipIf(!canMount)(
    'a full disk of the namenode: no false success, and all that was acknowledged is there when there is room again',
    async () => {
      // because mounting needs root
      await onSmallDisk('8m', async disk => {
        const secret = local('secret')
        await writeFile(secret, 'a'.repeat(64), { mode: 0o600 })
        const env: Record<string, string> = { ...cluster.env, GRISTMILL_SECRET_FILE: secret, GRISTMILL_CLUSTER: '' }
        const namenode = new Member('namenode', join(disk, 'namenode'), [], env)
        await namenode.start()
        env['GRISTMILL_CLUSTER'] = namenode.address
        try {
          expect(await run(['mkdir', '/before'], env)).toMatchObject({ code: 0 })
          await writeFile(join(disk, 'filler'), Buffer.alloc(9 << 20)).catch((error: NodeJS.ErrnoException) =>
            expect(error.code).toBe('ENOSPC'),
          )
          const made: string[] = []
          const refused: string[] = []
          for (let i = 0; i < 3; i++) {
            const result = await run(['mkdir', `/full${i}`], env)
            if (result.code === 0) made.push(`full${i}`)
            else refused.push(result.stderr)
          }
          expect(refused.length).toBeGreaterThan(0)
          for (const message of refused) expect(message).toMatch(/full|may or may not have happened/)
          // The datanode stays, and its data can be read.
          expect((await run(['ls', '/'], env)).stdout).toContain('before')
          expect(namenode.running).toBe(true)
          await rm(join(disk, 'filler'))
          let after = await run(['mkdir', '/after'], env)
          for (let tries = 0; after.code !== 0 && /full/.test(after.stderr) && tries < 50; tries++) {
            await new Promise(resolve => {
              setTimeout(resolve, 100)
            })
            after = await run(['mkdir', '/after'], env)
          }
          expect(after).toMatchObject({ code: 0 })
          expect((await run(['ls', '/'], env)).stdout.trim().split('\n')).toEqual(expect.arrayContaining(['before', 'after', ...made]))
          expect(namenode.running).toBe(true)
        } finally {
          await namenode.end()
        }
      })
    },
  )

  test.skipIf(!canMount)('the lock of a directory needs no space, and a home file without room names the full disk', async () => {
    // because mounting needs root
    await onSmallDisk('1m', async disk => {
      await writeFile(join(disk, 'filler'), Buffer.alloc(2 << 20)).catch(() => {})
      for (const directory of [join(disk, 'a'), join(disk, 'b')]) {
        await mkdir(directory)
        const lock = await localDisk.lock(directory)
        expect(lock).toBeDefined()
        expect(await localDisk.lock(directory)).toBeUndefined()
        await lock!.release()
      }
      await expect(writeHomeFile(localDisk, join(disk, 'up.json'), { text: 'x'.repeat(10_000) })).rejects.toMatchObject({
        code: 'ENOSPC', message: `cannot write ${disk}/up.json: no space left on device (ENOSPC); free some space on its disk`,
      })
    })
  })

  test.skipIf(!canMount)('a full disk of the home: up says that it is full, and down stops the cluster', async () => {
    // because mounting needs root
    await onSmallDisk('24m', async disk => {
      const home = join(disk, 'home')
      const env = { PATH: process.env['PATH'] ?? '', HOME: home, GRISTMILL_HOME: home, NO_COLOR: '1' }
      const up = await run(['up', '--detach', '--json', '--datanodes', '1', '--port', '0'], env)
      const { processes } = JSON.parse(up.stdout) as { processes: { role: string; pid: number }[] }
      const lives = (pid: number): boolean => localMachine.born(pid) !== undefined
      try {
        await writeFile(join(disk, 'filler'), Buffer.alloc(25 << 20)).catch(() => {})
        const { pid } = processes.find(({ role }) => role === 'namenode')!
        process.kill(pid, 'SIGKILL')
        await until('the namenode has ended', async () => !lives(pid))
        // There is no room for the files that name the process and its port, or, with a little more room, for what the namenode writes.
        const refused = await run(['up', '--detach'], env)
        expect([1, 69]).toContain(refused.code)
        expect(refused.stderr).toMatch(/no space left on device/)
        expect(await run(['down'], env)).toMatchObject({ code: 0, stderr: expect.not.stringContaining('could not') })
        expect(processes.filter(one => lives(one.pid))).toEqual([])
        await rm(join(disk, 'filler'))
        expect(await run(['up', '--detach'], env)).toMatchObject({ code: 0 })
      } finally {
        await run(['down'], env)
      }
    })
  })
})
