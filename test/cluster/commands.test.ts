// Each command of the catalogue as a process of its own, on one cluster: arguments, stdin, output and exit code pass through the bin. What
// the commands do in detail is tested in the test's process (inprocess.ts). Servers, `up` and `down` are tested in processes.test.ts.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandNames } from '../../client/cli/catalog.ts'
import { run, startCluster, until, type Result } from '../kit/cluster.ts'

const elsewhere = ['namenode', 'datanode', 'gateway', 'serve', 'serve-kv', 'up', 'down']

interface Call { readonly words: readonly string[]; readonly input?: string; readonly code?: number; readonly stdout: RegExp }

/** In this order: later ones use what earlier ones have made. */
const callsIn = (dir: string, datanode: string): readonly Call[] => [
  { words: ['mkdir', '/d'], stdout: /^$/ },
  { words: ['put', '-', '/d/f'], input: 'one\ntwo\n', stdout: /^$/ },
  { words: ['get', '/d/f', join(dir, 'f')], stdout: /^$/ },
  { words: ['cat', '/d/f'], stdout: /^one\ntwo\n$/ },
  { words: ['cp', '/d/f', '/d/g'], stdout: /^$/ },
  { words: ['mv', '/d/g', '/d/h'], stdout: /^$/ },
  { words: ['ls', '/d'], stdout: /^f\nh\n$/ },
  { words: ['rm', '/d/h'], stdout: /^$/ },
  { words: ['trash', 'ls'], stdout: /\/d\/h/ },
  { words: ['du', '/d'], stdout: /\/d/ },
  { words: ['df'], stdout: /\d/ },
  { words: ['console', '--at', 'http://gateway:8610/'], stdout: /\nhttp:\/\/gateway:8610\/login#v1\.[\w-]+\n$/ },
  { words: ['stat', '/d/f'], stdout: /\/d\/f/ },
  { words: ['head', '-n', '1', '/d/f'], stdout: /^one\n$/ },
  { words: ['tail', '-n', '1', '/d/f'], stdout: /^two\n$/ },
  { words: ['test', '-s', '/d/f'], stdout: /^$/ },
  { words: ['import', 'http://127.0.0.1:1/x', '/d/x', '--checksum', 'md5:1'], code: 1, stdout: /^$/ },
  { words: ['export', '/d/f', 'http://127.0.0.1:1/x'], code: 1, stdout: /^$/ },
  { words: ['append', '-', '/d/a'], input: 'one\n', stdout: /^$/ },
  { words: ['getmerge', '/d/f', '-'], stdout: /^one\ntwo\n$/ },
  { words: ['rm', '--skip-trash', '/d/a'], stdout: /^$/ },
  { words: ['count', '/d'], stdout: /\b8\b/ },
  { words: ['find', '/d', '-type', 'f'], stdout: /^\/d\/f\n$/ },
  { words: ['setrep', '1', '/d/f'], stdout: /^/ },
  { words: ['checksum', '/d/f'], stdout: /^[0-9a-f]{8,}\b.*\/d\/f\n$/ },
  { words: ['touch', '/d/t'], stdout: /^$/ },
  { words: ['chmod', '600', '/d/t'], stdout: /^$/ },
  { words: ['chown', 'ada', '/d/t'], stdout: /^$/ },
  { words: ['setfacl', '-m', 'user:bob:r-x', '/d/t'], stdout: /^$/ },
  { words: ['getfacl', '/d/t'], stdout: /^# file: \/d\/t\n# owner: ada\n# group: .*\nuser::rw-\nuser:bob:r-x\ngroup::---\nmask::r-x\nother::---\n\n$/ },
  { words: ['snapshot', 'create', '/d', 'monday'], stdout: /monday/ },
  { words: ['user', 'add', 'ada'], stdout: /^$/ },
  { words: ['upload', 'ls'], stdout: /^$/ },
  { words: ['quota', 'set', '/d', '--names', '100'], stdout: /^/ },
  { words: ['xattr', 'set', '/d/f', 'user.origin', 'field 7'], stdout: /^$/ },
  { words: ['init', join(dir, 'project')], stdout: /project\/words.ts\n/ },
  { words: ['run', join(dir, 'program.ts'), '-i', '/d/f', '-o', '/out'], stdout: /succeeded/ },
  { words: ['history', '/out'], stdout: /^ +1 .*job-1.*newest$/m },
  { words: ['rollback', '/out'], code: 1, stdout: /^$/ },
  { words: ['jobs'], stdout: /succeeded/ },
  { words: ['queues'], stdout: /^default +1 +- +0 +0 +0$/m },
  { words: ['job', 'last'], stdout: /succeeded/ },
  { words: ['logs', 'last'], stdout: /seen one/ },
  { words: ['kill', 'last'], stdout: /^job-1: succeeded\n$/ },
  { words: ['stream', '-i', '/d/f', '-o', '/streamed', '--map', 'cat'], stdout: /succeeded/ },
  { words: ['sql', 'SELECT 1 AS n'], stdout: /^n\n1\n$/ },
  { words: ['diff', '/out', '/out'], stdout: /^2 kept, 0 added, 0 removed\n$/ },
  { words: ['lineage', '/out'], stdout: /^ +from \/d\/f .*8 bytes$/m },
  { words: ['why', '/out'], stdout: /^\/out is up to date\n$/ },
  { words: ['build', '-f', join(dir, 'workflow.ts')], stdout: /^\/built: built in .*\n1 dataset: 1 built\n$/ },
  { words: ['rerun', 'job-1', '-o', '/again'], stdout: /succeeded.*to \/again\n/ },
  { words: ['config'], stdout: /^cluster +127\.0\.0\.1:\d+ +GRISTMILL_CLUSTER$/m },
  { words: ['config', '--servers'], stdout: /^namenode at .*\n(?:.*\n)*replication +1 +GRISTMILL_REPLICATION\n(?:.*\n)*datanode \S+ at 127/m },
  { words: ['logs', '--server', 'namenode', '-n', '5'], stdout: /^\d{4}-\d\d-\d\dT\S+ (?:INFO|WARN) /m },
  { words: ['loglevel', 'warn', '--server', datanode], stdout: /^\S+ +127\.0\.0\.1:\d+ +warn$/m },
  { words: ['status'], stdout: /^health +healthy$/m },
  { words: ['maintenance', datanode, '--for', '1m'], stdout: /maintenance/ },
  { words: ['recommission', datanode], stdout: /in service/ },
  { words: ['forget', datanode], code: 1, stdout: /^$/ },
  { words: ['decommission', 'nobody'], code: 1, stdout: /^$/ },
  { words: ['balance', '--status'], stdout: /not running/ },
  { words: ['fsck'], stdout: /healthy/ },
  { words: ['report'], stdout: /^datanodes +1: 1 live/m },
  { words: ['safemode'], stdout: /^off\n$/ },
  { words: ['completion', '--list', 'paths', '--', '/d/'], stdout: /^\/d\/f\n/ },
  { words: ['completion', 'bash'], stdout: /complete/ },
]

const nonEmpty = (result: Result): Result | undefined => (result.stdout === '' ? undefined : result)

test('every command runs as a process', async () => {
  await using cluster = await startCluster({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-commands-'))
  try {
    await writeFile(
      join(dir, 'program.ts'),
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { console.log('seen ' + line); emit(line, 1) } })\n`,
    )
    await writeFile(
      join(dir, 'workflow.ts'),
      `import { workflow } from 'gristmill'\nexport default workflow({ datasets: { '/built': { program: './program.ts', input: '/d/f' } } })\n`,
    )
    const calls = callsIn(dir, cluster.datanodes[0]!.address)
    expect([...new Set(calls.map(({ words }) => words[0]!))].sort()).toEqual(commandNames.filter(name => !elsewhere.includes(name)).sort())
    for (const { words, input, code = 0, stdout } of calls) {
      const ask = () => run(words, cluster.env, input)
      // Completion gives nothing after two seconds, which a busy machine may need.
      const result = words.includes('--list') ? await until('names to complete', async () => nonEmpty(await ask())) : await ask()
      expect(result, words.join(' ')).toMatchObject({ code, stdout: expect.stringMatching(stdout) })
      if (code !== 0) expect(result.stderr, words.join(' ')).toMatch(/^gristmill: \w+: .+\n$/)
    }
    expect(await readFile(join(dir, 'f'), 'utf8')).toBe('one\ntwo\n')
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
