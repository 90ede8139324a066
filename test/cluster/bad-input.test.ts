// Invalid input of a user to commands: files, addresses, settings. Each gives a clear message and exit code; processes stay healthy.

import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Member, until } from '../kit/cluster.ts'
import { runHere as run, startClusterHere } from './inprocess.ts'
import { area, cluster, listing, local, mill, watchCluster } from './watched.ts'

watchCluster()

describe('files', () => {
  test('a missing file', async () => {
    expect(await mill('cat', `${area}/nope`)).toMatchObject({
      code: 1, stdout: '',
      stderr: `gristmill: cat: ${area}/nope: no such file or directory\n`,
    })
    expect(await mill('put', local('nope'), area)).toMatchObject({
      code: 1,
      stderr: `gristmill: put: ${local('nope')}: no such file or directory\n`,
    })
    expect(await mill('get', `${area}/nope`, local('x'))).toMatchObject({
      code: 1,
      stderr: `gristmill: get: ${area}/nope: no such file or directory\n`,
    })
    expect(await listing()).toBe(`${area}:\n`)
  })

  test('a directory where a file is needed, a file where a directory is needed', async () => {
    expect(await mill('cat', area)).toMatchObject({ code: 1, stderr: `gristmill: cat: ${area}: is a directory\n` })
    await cluster.ok(['touch', `${area}/file`])
    expect(await mill('mkdir', `${area}/file/below`)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^gristmill: mkdir: \S+: not a directory \(\S+\/file is a file\)\n$/),
    })
    expect(await mill('put', local('.'), `${area}/dir`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is a directory; add -r'),
    })
    expect(await listing()).toBe(`${area}:\nfile\n`)
  })

  test('a file whose path ends with a slash is no directory, whatever the command', async () => {
    const file = `${area}/file`
    await cluster.ok(['put', '--format', 'lines', '-', file], 'text\n')
    await writeFile(local('more'), 'more\n')
    const other = `${area}/other`
    await cluster.ok(['touch', other])
    const before = await cluster.ok(['stat', '--json', file])
    for (const path of [`${file}/`, `${file}//`, `${file}/.`]) {
      for (const words of [
        ['append', local('more'), path], ['put', '-f', local('more'), path], ['cp', '-f', other, path], ['mv', '-f', other, path],
        ['cat', path], ['tail', path], ['head', path], ['get', path, local('got')], ['getmerge', path, '-'], ['checksum', path],
        ['cp', path, `${area}/copy`], ['mv', path, `${area}/moved`], ['rm', path], ['touch', path], ['touch', '-c', path],
        ['mkdir', path], ['mkdir', '-p', path], ['chmod', '600', path], ['chown', 'ada', path], ['setrep', '1', path],
        ['setfacl', '-b', path], ['getfacl', path], ['xattr', 'set', path, 'user.a', 'b'], ['xattr', 'ls', path], ['ls', path],
        ['stat', path], ['du', path], ['count', path], ['find', path], ['test', '-e', path],
        ['export', path, 's3://bucket/key'], ['import', 'https://127.0.0.1:1/a', path], ['snapshot', 'rm', path, 'name'],
      ]) {
        const result = await mill(...words)
        expect(result.code, words.join(' ')).not.toBe(0)
        expect(result.stdout, words.join(' ')).toBe('')
        // mkdir finds the file; `rm` refuses the dot.
        if (words[0] !== 'test') expect(result.stderr, words.join(' ')).toMatch(/not a directory|is a file|file exists|are not removed/)
      }
    }
    expect(await cluster.ok(['stat', '--json', file])).toBe(before)
    expect(await listing()).toBe(`${area}:\nfile\nother\n`)
    // A new name.
    expect(await mill('append', local('more'), `${area}/new/`)).toMatchObject({
      code: 1, stderr: expect.stringContaining(`${area}/new/: a slash at the end names a directory`),
    })
    expect(await listing()).toBe(`${area}:\nfile\nother\n`)
  })

  test('a missing parent directory is named', async () => {
    expect(await cluster.run(['put', '-', `${area}/no/such/file`], 'x')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^gristmill: put: (\/t\d+\/no\/such)\/file: the directory \1 does not exist; create it with: gristmill mkdir -p \1\n$/,
      ),
    })
    expect(await listing()).toBe(`${area}:\n`)
  })

  test('a name that is too long, and a name that cannot be', async () => {
    expect(await mill('mkdir', `${area}/${'n'.repeat(256)}`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the name has 256 bytes, at most 255 are allowed'),
    })
    // Dots are resolved before the namenode sees them: this is the root.
    expect(await mill('mkdir', `${area}/..`, `${area}/ok`)).toMatchObject({ code: 1, stderr: expect.stringContaining('file exists') })
    expect(await cluster.ok(['ls', area])).toBe('ok\n')
  })

  test('more replicas than a file can have', async () => {
    expect(await cluster.run(['put', '--replication', '99', '-', `${area}/f`], 'x')).toMatchObject({
      code: 2, stderr: expect.stringContaining('from 1 to 16'),
    })
    expect(await listing()).toBe(`${area}:\n`)
  })
})

describe('addresses', () => {
  test('a wrong address: no server listens there', async () => {
    const port = await freePort()
    const result = await run(['ls', '/', '--cluster', `127.0.0.1:${port}`], cluster.env)
    expect(result).toMatchObject({ code: 69, stdout: '' })
    expect(result.stderr).toMatch(new RegExp(`^(?:gristmill: ls: waiting: .*\n)?gristmill: ls: .*127\\.0\\.0\\.1:${port}.*\n$`))
  })

  test('an address that is none, and a host that does not exist', async () => {
    expect(await run(['ls', '/', '--cluster', 'not an address'], cluster.env)).toMatchObject({
      code: expect.toBeOneOf([1, 2, 78]), stderr: expect.stringContaining('not an address'),
    })
    expect(await run(['ls', '/', '--cluster', 'no-such-host.invalid:8620'], cluster.env)).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('no-such-host.invalid'),
    })
  })

  test('the address of something that is not gristmill', async () => {
    const server = createServer(socket => { socket.on('error', () => {}); socket.end('220 mail.example ESMTP\r\n') })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as { port: number }
      const result = await run(['ls', '/', '--cluster', `127.0.0.1:${port}`], cluster.env)
      expect(result).toMatchObject({ code: 69, stdout: '', stderr: expect.stringContaining(`127.0.0.1:${port}`) })
    } finally {
      server.close()
    }
  })

  test('a datanode\'s address given for the namenode\'s', async () => {
    const result = await run(['ls', '/', '--cluster', cluster.datanodes[0]!.address], cluster.env)
    expect([result.code === 0, result.stdout, result.stderr.includes(cluster.datanodes[0]!.address)]).toEqual([false, '', true])
  })

  test('the wrong secret, and one that others can read', async () => {
    await writeFile(local('secret'), 'f'.repeat(64), { mode: 0o600 })
    expect(await run(['ls', '/', '--secret-file', local('secret')], cluster.env)).toMatchObject({ code: 77, stdout: '' })
    expect(await run(['ls', '/', '--secret-file', local('nope')], cluster.env)).toMatchObject({
      code: expect.toBeOneOf([1, 78]), stderr: expect.stringContaining(local('nope')),
    })
  })

  test('a port in use', async () => {
    const result = await run(['namenode', '--dir', local('nn'), '--port', cluster.namenode.address.split(':')[1]!], {
      ...cluster.env, GRISTMILL_CLUSTER: '',
    })
    expect(result).toMatchObject({ code: 69, stdout: '' })
    expect(result.stderr).toContain(cluster.namenode.address)
    expect(result.stderr).toContain('another process')
  })

  test('a namenode that is down: commands say so, and work again when it is back', async () => {
    const down = await startClusterHere({ datanodes: 1 })
    try {
      await down.ok(['put', '-', '/kept'], 'kept')
      await down.namenode.kill()
      const result = await down.run(['cat', '/kept'])
      expect(result).toMatchObject({ code: 69, stdout: '', stderr: expect.stringContaining(down.namenode.address) })
      await down.namenode.start()
      expect(
        await until('the file can be read', async () => {
          const again = await down.run(['cat', '/kept'])
          return again.code === 0 && again.stdout
        }),
      ).toBe('kept')
    } finally {
      await down.stop()
    }
  })
})

describe('settings', () => {
  test('an unknown setting is named with its nearest known one', async () => {
    await writeFile(local('config.json'), '{ "replicaton": 2 }')
    expect(await run(['ls', '/', '--config', local('config.json')], cluster.env)).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/replicaton.*replication/s),
    })
    expect(await run(['ls', '/'], { ...cluster.env, GRISTMILL_REPLICATON: '2' })).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('GRISTMILL_REPLICATON'),
    })
  })

  test('a setting that cannot be', async () => {
    await writeFile(local('config.json'), 'not json')
    expect(await run(['ls', '/', '--config', local('config.json')], cluster.env)).toMatchObject({
      code: 78, stderr: expect.stringContaining('config.json'),
    })
    expect(await run(['namenode', '--dir', local('nn')], { ...cluster.env, GRISTMILL_PORT: 'eighty' })).toMatchObject({
      code: 78, stderr: expect.stringContaining('eighty'),
    })
  })

  test('a directory that is in use, and one that belongs to another', async () => {
    expect(await run(['namenode', '--dir', cluster.namenode.dir, '--port', '0'], cluster.env)).toMatchObject({
      code: 73,
      stderr: expect.stringContaining(cluster.namenode.dir),
    })
    const stranger = new Member('datanode', cluster.datanodes[0]!.dir, [], cluster.env)
    await expect(stranger.start()).rejects.toThrow(cluster.datanodes[0]!.dir)
    await stranger.end()
  })

  test('any interface but loopback without a secret is refused', async () => {
    const { GRISTMILL_SECRET_FILE: _, ...open } = cluster.env
    expect(await run(['namenode', '--dir', local('nn'), '--host', '0.0.0.0', '--port', '0'], open)).toMatchObject({
      code: 78, stderr: expect.stringContaining('secret'),
    })
  })
})

const freePort = (): Promise<number> => new Promise(resolve => {
  const server = createServer()
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    server.close(() => resolve(port))
  })
})
