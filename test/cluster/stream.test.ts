// Jobs whose mapper and reducer are Unix commands, on a cluster of real processes: compared with the same commands in a pipeline of bash,
// in other languages, under a killed datanode, and as Hadoop Streaming would be called.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-stream-'))
  cluster = await startClusterHere({ datanodes: 3, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_REPLICATION: '2' } })
})

afterAll(async () => {
  await cluster.stop()
  await rm(dir, { recursive: true, force: true })
})

let files = 0
async function local(content: string | Buffer, name = `file-${++files}`): Promise<string> {
  await writeFile(join(dir, name), content)
  return join(dir, name)
}

/** Bytes of an output, in the order of its parts. */
async function bytesOf(output: string): Promise<Buffer> {
  const path = join(dir, `merged-${++files}`)
  await cluster.ok(['getmerge', output, path])
  return readFile(path)
}

const textOf = async (output: string): Promise<string> => (await bytesOf(output)).toString()
const bash = (script: string, input: Buffer): Buffer =>
  execFileSync('bash', ['-c', script], { input, maxBuffer: 1 << 28, cwd: dir, env: { ...process.env, LC_ALL: 'C' } })

/** Lines of all kinds of bytes but newlines, with keys that occur often. */
function strangeLines(count: number): Buffer {
  const pieces: Buffer[] = []
  for (let i = 0, state = 12_345; i < count; i++) {
    const next = (n: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % 65_521 % n
    const key = Buffer.from(Array.from({ length: next(3) }, () => 1 + next(255)).filter(byte => byte !== 10))
    const value = Buffer.from(Array.from({ length: next(30) }, () => next(256)).filter(byte => byte !== 10 && byte !== 9))
    pieces.push(key, Buffer.from(next(5) === 0 ? '\n' : '\t'), value, Buffer.from('\n'))
  }
  return Buffer.concat(pieces)
}

const sum = `awk -F '\\t' '$1 != k { if (NR > 1) print k "\\t" n; k = $1; n = 0 } { n += $2 } END { if (NR) print k "\\t" n }'`

test('any bytes come out of a shuffle as sort in a pipeline gives them', async () => {
  const input = strangeLines(6000)
  await cluster.ok(['put', '--block-size', '16KiB', await local(input), '/strange'])
  await cluster.ok(['stream', '-i', '/strange', '-o', '/strange-sorted', '--map', 'cat', '--reduce', 'cat'])
  const sorted = bash(`sort -s -t $'\\t' -k1,1`, input)
  expect((await bytesOf('/strange-sorted')).equals(sorted)).toBe(true)
  await cluster.ok(['stream', '-i', '/strange', '-o', '/strange-four', '--reducers', '4'])
  const parts = (await cluster.ok(['ls', '/strange-four'])).match(/part-\d+/g)
  expect(parts).toHaveLength(4)
  expect(bash(`sort -s -t $'\\t' -k1,1`, await bytesOf('/strange-four')).equals(sorted)).toBe(true)
  await cluster.ok(['stream', '-i', '/strange', '-o', '/strange-copied', '--map', 'cat'])
  expect((await bytesOf('/strange-copied')).equals(input)).toBe(true)
})

test('a word count with a combiner is what a pipeline counts, and the combiner saves bytes of the shuffle', async () => {
  const input = Buffer.from(Array.from({ length: 8000 }, (_, i) => `Word${i % 89} and other${i % 7} words\n`).join(''))
  await cluster.ok(['put', '--block-size', '32KiB', await local(input), '/words'])
  const map = `tr 'A-Z ' 'a-z\\n' | sed -e '/^$/d' -e 's/$/\\t1/'`
  const shuffled = async (output: string, more: readonly string[]): Promise<number> => {
    await cluster.ok(['stream', '-i', '/words', '-o', output, '--map', map, '--reduce', sum, ...more])
    expect(await textOf(output)).toBe(bash(`${map} | sort | ${sum}`, input).toString())
    const { counters } = JSON.parse((await cluster.ok(['jobs', '--json'])).split('\n')[0]!) as JobStatus
    return counters['shuffleBytes']!
  }
  const plain = await shuffled('/counted', [])
  expect(await shuffled('/combined', ['--combine', sum])).toBeLessThan(plain / 4)
})

test('gzip is decompressed, rows of CSV stay whole, and each file has a mapper that is told its name', async () => {
  await cluster.ok(['mkdir', '/several'])
  await cluster.ok(['put', await local(gzipSync('b 1\na 2\n')), '/several/packed.gz'])
  await cluster.ok(['put', await local('c 3\n'), '/several/plain.txt'])
  await cluster.ok(['put', await local(''), '/several/empty.txt'])
  const map = `sed "s|$|\\t$map_input_file|"`
  await cluster.ok(['stream', '-i', '/several', '-o', '/several-out', '--shell', '--map', map, '--reducers', '1'])
  expect(await textOf('/several-out')).toBe('a 2\t/several/packed.gz\nb 1\t/several/packed.gz\nc 3\t/several/plain.txt\n')
  const rows = Array.from({ length: 400 }, (_, i) => `${i},"a, quoted\nvalue ${i}"\n`).join('')
  await cluster.ok(['put', '--block-size', '4KiB', await local(rows), '/rows.csv'])
  const ended = ['--map', `awk '{ last = $0; print } END { if (last !~ /"$/) exit 7 }'`]
  await cluster.ok(['stream', '-i', '/rows.csv', '-o', '/rows-out', '--input-format', 'csv', ...ended])
  expect(await textOf('/rows-out')).toBe(rows)
})

test('a command that fails fails the job with its stderr, which is whole in the log, and nothing is published', async () => {
  await cluster.ok(['put', await local('x\n'), '/one'])
  const map = 'echo first >&2; echo last >&2; exit 3'
  const failed = await cluster.run(['stream', '-i', '/one', '-o', '/failed', '--map', map, '--attempts', '2'])
  expect(failed.code).toBe(1)
  expect(failed.stderr).toMatch(/the mapper "echo first >&2; echo last >&2; exit 3" ended with exit code 3; its stderr ends with: first\n\s*last/)
  expect((await cluster.run(['stat', '/failed'])).code).toBe(1)
  expect(await cluster.ok(['logs', 'last'])).toMatch(/first\n.*last/s)
})

test("a command may do what the datanode's user may: it reads the cluster's secret, which its environment does not have", async () => {
  await cluster.ok(['put', await local('x\n'), '/single'])
  const secret = await readFile(cluster.secretFile, 'utf8')
  await cluster.ok(['stream', '-i', '/single', '-o', '/secret', '--map', `cat ${cluster.secretFile}; env | sed s/^/env:/`])
  const found = await textOf('/secret')
  expect(found).toContain(secret.trim())
  expect(found.split('\n').filter(line => line.startsWith('env:') && line.includes(secret.trim()))).toEqual([])
})

/** Runs a job with a program that this machine may not have. */
const having = (...programs: readonly string[]) => {
  const missing = programs.filter(name => !process.env['PATH']!.split(delimiter).some(each => existsSync(join(each, name))))
  if (missing.length > 0) console.warn(`SKIPPED: ${missing.join(', ')} is not installed, and the test of it has not run`)
  return missing.length > 0 ? test.skip : test // because the program is not on every machine
}

const path = ['--env', `PATH=${process.env['PATH']}`]
const expected = 'a\t4\nb\t2\n'

having('python3')('a mapper and a reducer in Python', async () => {
  await cluster.ok(['put', await local('a b a\nb a a\n'), '/letters'])
  const map = await local(`#!/usr/bin/env python3
import sys
for line in sys.stdin:
    for word in line.split():
        print('%s\\t%d' % (word, 1))
    sys.stderr.write('reporter:counter:py,lines,1\\n')
`, 'map.py')
  const reduce = await local(`from itertools import groupby
from tools import pairs
for key, values in groupby(pairs(), lambda pair: pair[0]):
    print('%s\\t%d' % (key, sum(int(value) for _, value in values)))
`, 'reduce.py')
  const tools = await local(`import sys
def pairs():
    for line in sys.stdin:
        yield line.rstrip('\\n').split('\\t', 1)
`, 'tools.py')
  const done = await cluster.ok([
    'stream', '-i', '/letters', '-o', '/python', '--map', 'map.py', '--reduce', 'python3 reduce.py', ...path,
    '--file', map, '--file', reduce, '--file', tools,
  ])
  expect(await textOf('/python')).toBe(expected)
  expect(done).toMatch(/user\.py\.lines\s+2/)
})

having('jq')('a mapper and a reducer in jq', async () => {
  await cluster.ok(['put', await local('{"w":["a","b","a"]}\n{"w":["b","a","a"]}\n'), '/letters.jsonl'])
  await cluster.ok([
    'stream', '-i', '/letters.jsonl', '-o', '/jq', '--input-format', 'jsonl', ...path, '--map', `jq -r '.w[] | "\\(.)\\t1"'`,
    '--reduce', `jq -Rnr 'reduce (inputs | split("\\t")) as [$k, $v] ({}; .[$k] += ($v | tonumber)) | to_entries[] | "\\(.key)\\t\\(.value)"'`,
  ])
  expect(await textOf('/jq')).toBe(expected)
})

having('cc')('a compiled program, sent along', async () => {
  await cluster.ok(['put', await local('a b a\nb a a\n'), '/letters.txt'])
  const source = await local(`#include <stdio.h>
#include <string.h>
int main(void) {
  char key[99] = "", next[99]; int n = 0, one;
  while (scanf("%98s %d", next, &one) == 2) {
    if (strcmp(key, next)) { if (n) printf("%s\\t%d\\n", key, n); strcpy(key, next); n = 0; }
    n += one;
  }
  if (n) printf("%s\\t%d\\n", key, n);
  return 0;
}
`, 'sum.c')
  execFileSync('cc', ['-o', join(dir, 'sum'), source])
  const map = `tr ' ' '\\n' | sed 's/$/\\t1/'`
  await cluster.ok(['stream', '-i', '/letters.txt', '-o', '/compiled', '--map', map, '--reduce', './sum', '--file', join(dir, 'sum')])
  expect(await textOf('/compiled')).toBe(expected)
})

test('the command of Hadoop Streaming runs after its name is replaced', async () => {
  await cluster.ok(['put', await local('b.2.x\na.1.y\nb.10.z\na.3.w\n'), '/dotted'])
  await cluster.ok([
    'stream', '-D', 'stream.map.output.field.separator=.', '-Dstream.num.map.output.key.fields=2',
    '-D', 'mapreduce.map.output.key.field.separator=.',
    '-D', 'mapreduce.partition.keypartitioner.options=-k1,1', '-D', 'mapreduce.job.reduces=2', '-D', 'my.own.setting=seen',
    '-D', 'mapreduce.job.output.key.comparator.class=org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator',
    '-D', 'mapreduce.partition.keycomparator.options=-k1,1 -k2,2nr',
    '-input', '/dotted', '-output', '/hadoop', '-mapper', 'org.apache.hadoop.mapred.lib.IdentityMapper', '-reducer', 'tee $(mktemp)',
    '-partitioner', 'org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner', '-cmdenv', 'A=b',
  ])
  const lines = (await textOf('/hadoop')).trimEnd().split('\n')
  expect(lines.filter(line => line.startsWith('b'))).toEqual(['b.10\tz', 'b.2\tx'])
  expect(lines.filter(line => line.startsWith('a'))).toEqual(['a.3\tw', 'a.1\ty'])
  const counting = `sed 's/[.].*/\\t1/;s/^/LongValueSum:/'`
  await cluster.ok(['stream', '-input', '/dotted', '-output', '/aggregate', '-mapper', counting, '-reducer', 'aggregate'])
  expect(await textOf('/aggregate')).toBe('a\t2\nb\t2\n')
  await cluster.ok(['stream', '-input', '/dotted', '-output', '/identity', '-mapper', '/bin/cat', '-Dmy.own.setting=x'])
  expect(await textOf('/identity')).toBe('a.1.y\na.3.w\nb.10.z\nb.2.x\n')
  const mapper = 'sh -c "env; cat >/dev/null"'
  await cluster.ok(['stream', '-input', '/dotted', '-output', '/mapped', '-mapper', mapper, '-reducer', 'NONE', '-D', 'my.own.setting=x'])
  expect(await textOf('/mapped')).toMatch(/^my_own_setting=x$/m)
})

interface Found { readonly words: string; readonly group: number }

/** Processes with this text in their arguments. */
function commandsWith(text: string): Found[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name) && name !== String(process.pid)).flatMap(pid => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ')
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2])
      return words.includes(text) ? [{ words, group }] : []
    } catch {
      return []
    }
  })
}

test('no process of a command outlives its task, its job or its executor', async () => {
  await cluster.ok(['put', await local('x\n'), '/lone'])
  const mark = 4_000_000 + process.pid
  const sleeping = (): Found[] => commandsWith(`sleep ${mark}`).filter(({ words }) => words.startsWith('sleep'))
  // Left behind by a command that ends well: ended with its task, while the job goes on.
  await cluster.ok(['put', '--block-size', '4KiB', await local('a line\n'.repeat(1000)), '/two'])
  const gate = join(dir, 'first-gate')
  const leaving = `if [ $map_input_start = 0 ]; then sleep ${mark} >/dev/null 2>&1 & else until [ -e ${gate} ]; do sleep 0.1; done; fi; cat`
  const left = (await cluster.ok(['stream', '-i', '/two', '-o', '/left', '--map', leaving, '--detach'])).trim()
  await until('the first task is done', async () => {
    const { stages } = JSON.parse(await cluster.ok(['job', left, '--json'])) as JobStatus
    return stages[0]?.done === 1
  })
  expect(sleeping()).toEqual([])
  await writeFile(gate, '')
  const begin = async (output: string): Promise<string> => {
    const job = (await cluster.ok(['stream', '-i', '/lone', '-o', output, '--map', `cat; (sleep ${mark} | cat) & wait`, '--detach'])).trim()
    await until('the command runs', async () => sleeping().length > 0)
    return job
  }
  await cluster.ok(['kill', await begin('/killed')])
  await until('the commands of the killed job have ended', async () => sleeping().length === 0)
  const job = await begin('/lost')
  // Its executor leads the group of the command.
  const [{ group }] = sleeping() as [Found]
  process.kill(group, 'SIGKILL')
  await until('the task runs again', async () => {
    const { stages } = JSON.parse(await cluster.ok(['job', job, '--json'])) as JobStatus
    return stages.some(stage => stage.failedAttempts > 0) && sleeping().some(found => found.group !== group)
  })
  await cluster.ok(['kill', job])
  await until('all have ended', async () => sleeping().length === 0)
})

test('a datanode that is killed while commands run changes nothing in the output, and takes its commands with it', async () => {
  const input = Buffer.from(Array.from({ length: 4000 }, (_, i) => `k${i % 50}\t${i % 9}\n`).join(''))
  await cluster.ok(['put', '--block-size', '4KiB', await local(input), '/many'])
  const gate = join(dir, 'gate')
  const mark = `gate-${process.pid}`
  const map = `: ${mark}; cat; until [ -e ${gate} ]; do sleep 0.1; done`
  const shells = (): Found[] => commandsWith(`: ${mark}`).filter(({ words }) => words.startsWith('/bin/sh'))
  const running = cluster.run(['stream', '-i', '/many', '-o', '/survived', '--map', map, '--reduce', sum, '--reducers', '2'])
  await until('all slots run commands', async () => shells().length >= 3)
  await cluster.datanodes[2]!.kill()
  await until('its commands have ended', async () => shells().length <= 2)
  await writeFile(gate, '')
  expect(await running).toMatchObject({ code: 0 })
  const sorted = (bytes: Buffer): string => bytes.toString().trimEnd().split('\n').sort().join('\n')
  expect(sorted(await bytesOf('/survived'))).toBe(sorted(bash(`sort | ${sum}`, input)))
  await cluster.datanodes[2]!.start()
})
